// Where everything lies below the content folder: containerd's layout, and the daemon's own folder beside it, which
// containerd's built-in store never looks into. Immutable, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "plugin/base/digest.h"

namespace paceline::store {

class Layout {
 public:
  explicit Layout(std::filesystem::path content)
      : content(std::move(content)),
        blobs(this->content / "blobs" / "sha256"),
        ingest(this->content / "ingest"),
        own(this->content / ".paceline"),
        hidden(own / "hidden" / "sha256"),
        fetch(own / "fetch"),
        labels(own / "labels"),
        pins(own / "pins"),
        temporary(own / "tmp"),
        lock(own / "lock") {}

  const std::filesystem::path content;
  const std::filesystem::path blobs;      ///< Listed blobs, one file each, named by the digest's hex.
  const std::filesystem::path ingest;     ///< One folder a ref.
  const std::filesystem::path own;        ///< Everything that is not containerd's.
  const std::filesystem::path hidden;     ///< Hidden blobs.
  const std::filesystem::path fetch;      ///< One folder a download.
  const std::filesystem::path labels;     ///< One file a labelled blob.
  const std::filesystem::path pins;       ///< One file a pin.
  const std::filesystem::path temporary;  ///< Emptied at start.
  const std::filesystem::path lock;

  [[nodiscard]] std::filesystem::path listed_blob(const Digest& digest) const { return blobs / digest.hex(); }
  [[nodiscard]] std::filesystem::path hidden_blob(const Digest& digest) const { return hidden / digest.hex(); }
  [[nodiscard]] std::filesystem::path fetch_folder(const Digest& digest) const { return fetch / digest.hex(); }
  /// A ref may hold anything, so its hash names the folder (containerd does the same).
  [[nodiscard]] std::filesystem::path ingest_folder(std::string_view ref) const { return ingest / sha256(ref).hex(); }
};

}  // namespace paceline::store
