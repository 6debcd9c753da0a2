// The switches behind use_deterministic_algorithms: memory that nobody has written yet is filled,
// so that a program which reads it gives the same answer each time (NaN, the largest integer,
// True); and ops whose answer is not defined for all inputs, such as put_ with a position given
// twice, are refused. They do the same each time here, but programs ask so that they do everywhere.
#pragma once

#include "core/tensor.h"

namespace rl {

extern bool fill_unwritten_memory;  // read and written under the interpreter lock
void fill_unwritten(Tensor& t);     // if the switch is on

enum class Undefined : uint8_t { Allow, Warn, Refuse };
extern Undefined undefined_answers;         // read and written under the interpreter lock
void alert_undefined(std::string_view op);  // does what the switch says; from `infer`, as `warn`

}  // namespace rl
