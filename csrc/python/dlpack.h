// The data structures of DLPack, the array interchange protocol (its public specification,
// version 1.0): plain C layouts that must not change.
#pragma once
#include <cstdint>

namespace rl::py::dlpack {

enum DeviceType : int32_t { kCpu = 1 };
enum TypeCode : uint8_t {
  kInt = 0,
  kUInt = 1,
  kFloat = 2,
  kBFloat = 4,
  kComplex = 5,
  kBool = 6,
  kFloat8E4M3Fn = 10,
  kFloat8E4M3FnUz = 11,
  kFloat8E5M2 = 12,
  kFloat8E5M2FnUz = 13,
  kFloat8E8M0Fnu = 14,
  kFloat4E2M1Fn = 17
};
constexpr uint64_t kReadOnly = 1, kCopied = 2;

struct Device {
  int32_t type, id;
};
struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct Array {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t *shape, *strides;  // strides in elements; null when row-major
  uint64_t byte_offset;
};
struct Managed {
  Array array;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Array array;
};

}  // namespace rl::py::dlpack
