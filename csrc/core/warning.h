// Warnings of kernels: Python's, so that filters apply to them, and one that is made an error ends
// the call. Only where the interpreter is held: in `infer`, not within an `Unlocked` part.
#pragma once
#include <string>

namespace rl {

void warn(const std::string& text);  // a UserWarning

}  // namespace rl
