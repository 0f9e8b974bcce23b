// Images that somebody pulls and of whom it is not known yet whether he takes layers. Clients that unpack by themselves
// never do; whoever has containerd pull (CRI, the transfer service) reads the manifest and the config through it before
// he asks for the first layer, and a client with an unpacker of its own (nerdctl) asks for the first layer right away.
// What nobody of them wants is forgotten. Thread rule: its owner's mutex guards it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/oci/manifest.h"

namespace paceline::layers {

class ExpectedImages {
 public:
  struct Image {
    oci::Manifest manifest;
    std::set<std::string> readers;  ///< Namespaces that have read its manifest or config.
    /// A client has read it since it was expected last: who reads later does not pull it, as CRI, which looks at every
    /// image that comes into its namespace.
    bool by_client = false;
  };

  void expect(const Digest& digest, const oci::Manifest& manifest, TimePoint now);
  /// `reader` (empty: a client) reads a blob: true when it is the manifest or the config of an image that he pulls.
  bool read(const Digest& blob, const std::string& reader);
  [[nodiscard]] bool has_layer(const Digest& blob) const;
  /// It is expected no more.
  std::optional<Image> take(const Digest& blob);
  /// Latest first.
  [[nodiscard]] std::vector<oci::Manifest> all() const;
  void forget_old(TimePoint now);

 private:
  struct Entry {
    Digest digest;
    Image image;
    TimePoint since;
  };
  /// By manifest and by config.
  std::unordered_map<Digest, std::shared_ptr<Entry>> entries_;
};

}  // namespace paceline::layers
