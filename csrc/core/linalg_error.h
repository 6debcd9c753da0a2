// The error of matrices that are singular, not positive definite, or defeat an algorithm;
// csrc/python turns it into torch.linalg.LinAlgError.
#pragma once
#include "core/error.h"

namespace rl {

class LinAlgError : public Error {
 public:
  explicit LinAlgError(std::string what) : Error(ErrorKind::Runtime, std::move(what)) {}
};

}  // namespace rl
