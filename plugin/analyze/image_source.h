// An image to be looked at, wherever it lies: what its manifest and config say, and each layer's bytes.
// info() never changes; open_layer() from any thread, several at once. Sources that it returns borrow the image.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/oci/manifest.h"
#include "plugin/unpack/layer_source.h"

namespace paceline::analyze {

struct ImageLayer {
  Digest digest;           ///< Of the blob; of an archive that keeps none, the diffID.
  std::uint64_t size = 0;  ///< Bytes of the blob, as stored.
  std::string media_type;
  std::optional<Digest> diff_id;
  std::string created_by;  ///< The config's history; empty: not said.
};

/// What a container of the image runs, unless it is told otherwise.
struct StartCommand {
  std::vector<std::string> words;  ///< Of Entrypoint, then of Cmd.
  std::string search_path;         ///< $PATH
  std::string folder;              ///< It is started in.
};

struct ImageInfo {
  std::string name;                ///< As it was asked for.
  std::optional<Digest> manifest;  ///< Absent in a docker-archive.
  std::string registry;            ///< Of a registry reference; else empty.
  std::string platform;            ///< "linux/amd64", "linux/arm/v7": of the config.
  std::uint64_t config_bytes = 0;
  std::vector<ImageLayer> layers;  ///< Bottom first.
  StartCommand start;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  [[nodiscard]] virtual const ImageInfo& info() const = 0;
  virtual Result<std::unique_ptr<unpack::LayerSource>> open_layer(std::size_t index) = 0;
};

/// Fills platform, config_bytes, start and each layer's diff_id and created_by. kInvalidArgument: no config of an
/// image, or one that knows another number of layers.
Status apply_config(std::string_view config, ImageInfo& info);

}  // namespace paceline::analyze
