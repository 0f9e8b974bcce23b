// A blob open for reading: descriptor and size, shared by all readers. Immutable; any thread; pread only.
// Stays readable after the blob was removed from the store.
#pragma once

#include <cstdint>

#include "plugin/base/fd.h"

namespace paceline::store {

struct OpenBlob {
  UniqueFd fd;
  std::uint64_t size = 0;
};

}  // namespace paceline::store
