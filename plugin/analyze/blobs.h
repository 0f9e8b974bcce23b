// Blobs by their digest, in folders as OCI layouts and containerd keep them, or inside an archive; and an image made of
// them. Any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plugin/analyze/image_source.h"
#include "plugin/oci/platform.h"

namespace paceline::analyze {

class Blobs {
 public:
  virtual ~Blobs() = default;
  /// kNotFound: there is no such blob.
  [[nodiscard]] virtual Result<std::unique_ptr<unpack::LayerSource>> open(const Digest& digest) const = 0;
  /// A small one, whole, its digest checked; kResourceExhausted above `limit` bytes.
  [[nodiscard]] Result<std::string> read(const Digest& digest, std::size_t limit) const;
};

/// Files named by the digest's hex digits, in the first folder that has it.
std::unique_ptr<Blobs> folder_blobs(std::vector<std::filesystem::path> folders);

/// The image of the manifest `digest`, or of an index's entry for `platform`.
Result<std::unique_ptr<ImageSource>> image_of_blobs(std::unique_ptr<Blobs> blobs, const Digest& digest,
                                                    const oci::Platform& platform, std::string name);

/// What an OCI layout's index.json offers under `tag` (its org.opencontainers.image.ref.name, or the end of it; empty:
/// the only one there is), for `platform`.
Result<Digest> choose_from_layout(std::string_view index_json, const std::string& tag, const oci::Platform& platform);

}  // namespace paceline::analyze
