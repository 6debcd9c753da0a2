// The object through which a program sees a storage: its header has room for one, so that it is the
// same each time, and so that what hangs on it stays as long as the storage. storage_type.cpp makes
// them.
#pragma once
#include "core/storage.h"

namespace rl {

void*& object_of(Storage& s);  // null if there is none

// Called instead of destroying a storage that has one: makes the object hold the storage.
extern void (*last_tensor_gone)(Storage&);

}  // namespace rl
