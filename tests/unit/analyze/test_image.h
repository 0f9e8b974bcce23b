// Images of a test: layers written with TarWriter, in memory, as an OCI layout or as docker save would write them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/analyze/analysis.h"
#include "plugin/analyze/image_source.h"
#include "tests/support/tar_writer.h"
#include "tests/support/temp_dir.h"

namespace paceline::test {

class BytesSource final : public unpack::LayerSource {
 public:
  explicit BytesSource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override;

 private:
  std::string bytes_;
};

/// `blobs`: as stored, compressed or not.
class MemoryImage final : public analyze::ImageSource {
 public:
  /// `tars`: uncompressed; gzipped here unless `plain`.
  explicit MemoryImage(const std::vector<std::string>& tars, bool plain = false);
  [[nodiscard]] const analyze::ImageInfo& info() const override { return info_; }
  Result<std::unique_ptr<unpack::LayerSource>> open_layer(std::size_t index) override;
  analyze::ImageInfo& change() { return info_; }
  std::vector<std::string>& blobs() { return blobs_; }

 private:
  analyze::ImageInfo info_;
  std::vector<std::string> blobs_;
};

/// Of a whole image, or the test fails.
analyze::Analysis analyze_tars(const std::vector<std::string>& tars);

/// Writes blobs, config, manifest and index.json; returns the manifest's digest.
Digest write_layout(const std::filesystem::path& folder, const std::vector<std::string>& tars);
/// What `docker save` wrote before it knew OCI layouts: a folder a layer, uncompressed.
std::string docker_archive(const std::vector<std::string>& tars, const std::string& tag = "app:1");

/// A text of `size` bytes that compresses to about half, another one for each seed.
std::string noise(std::size_t size, unsigned seed);

}  // namespace paceline::test
