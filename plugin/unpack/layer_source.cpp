#include "plugin/unpack/layer_source.h"

#include "plugin/base/files.h"

namespace paceline::unpack {

Result<std::size_t> FileSource::read(std::uint64_t offset, std::span<std::byte> buffer) {
  return read_at(file_.get(), buffer, offset);
}

}  // namespace paceline::unpack
