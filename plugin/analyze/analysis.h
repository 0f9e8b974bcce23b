// An image taken apart: per layer, per package, per class of file. analyze() reads every layer once, as many at a time
// as there are cores; the rest are values.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "adaptive/pull_model.h"
#include "plugin/analyze/file_class.h"
#include "plugin/analyze/image_source.h"
#include "plugin/analyze/image_tree.h"
#include "plugin/analyze/package.h"
#include "plugin/base/clock.h"

namespace paceline::analyze {

/// A sum over names. Bytes count once for hard links; compressed is their share of the blobs, estimated from the ratio
/// of the bytes around them.
struct Sum {
  std::uint64_t files = 0;  ///< Names that are no folders.
  std::uint64_t bytes = 0;
  std::uint64_t compressed = 0;
  std::uint64_t stored = 0;  ///< Of the bytes, what the tar has: all but holes.

  Sum& operator+=(const Sum& other);
};

struct LayerReport {
  ImageLayer layer;
  std::uint64_t compressed_bytes = 0;    ///< Of the blob.
  bool estimated = false;                ///< It is stored uncompressed: what gzip would make of it.
  std::uint64_t uncompressed_bytes = 0;  ///< Of the tar.
  std::uint64_t entries = 0;             ///< Of the tar: all that follows.
  std::uint64_t files = 0, directories = 0, symlinks = 0, hard_links = 0, others = 0, whiteouts = 0;
  std::uint64_t file_bytes = 0;             ///< Contents of regular files.
  std::uint64_t largest_file = 0;           ///< Without holes.
  std::array<Sum, kFileClasses> classes{};  ///< Its files by class.

  [[nodiscard]] double ratio() const {
    return compressed_bytes == 0 ? 0 : static_cast<double>(uncompressed_bytes) / static_cast<double>(compressed_bytes);
  }
  [[nodiscard]] adaptive::PullLayer load() const { return {compressed_bytes, uncompressed_bytes, entries}; }
};

/// Files of the same content, the first of which is kept.
struct DuplicateGroup {
  std::uint64_t size = 0;  ///< Bytes of one.
  std::vector<std::string> paths;
};

struct Analysis {
  ImageInfo image;
  std::vector<LayerReport> layers;
  std::vector<Package> packages;  ///< Largest first.
  std::array<Sum, kFileClasses> classes{};
  std::vector<DuplicateGroup> duplicates;  ///< The most wasteful first, a hundred at most.
  /// The largest files of class kNeeded, by path.
  struct LargeFile {
    std::string path;
    std::uint64_t bytes = 0;
    std::uint32_t layer = 0;
  };
  std::vector<LargeFile> largest;
  ImageTree tree;
  std::vector<FileClass> file_classes;  ///< Of the tree's files, by number.

  [[nodiscard]] std::uint64_t compressed_bytes() const;
  [[nodiscard]] std::uint64_t uncompressed_bytes() const;
  [[nodiscard]] std::uint64_t entries() const;
  [[nodiscard]] Sum sum(FileClass file_class) const { return classes[static_cast<std::size_t>(file_class)]; }
  /// All classes but kNeeded.
  [[nodiscard]] Sum waste() const;
  [[nodiscard]] Sum all() const;
  [[nodiscard]] std::vector<adaptive::PullLayer> loads() const;
};

struct AnalyzeOptions {
  unsigned threads = 1;  ///< Layers read at a time.
  /// Bytes of blobs read so far, and in all; from any thread, one at a time. An error (the caller gives up) ends it.
  std::function<Status(std::uint64_t read, std::uint64_t all)> progress = nullptr;
};

/// The first layer's error names the layer.
Result<Analysis> analyze(ImageSource& image, const AnalyzeOptions& options);

}  // namespace paceline::analyze
