// Which reads of an image's config wait until its layers are on offer.
//
// containerd reads the config when it begins to unpack, and only then asks for one layer after the other, with a lock
// of its snapshotter held while it waits for an answer. So it is the read that is held, without end as long as the
// unpack moves; containerd could not be faster, since it would need the same bytes and then begin. A namespace whose
// pulls read and then ask for no layer (another snapshotter is theirs) is not held a second time. Thread rule: its
// owner's mutex guards it, and the jobs' states too.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/layers/layer_job.h"

namespace paceline::layers {

class HeldReads {
 public:
  using Go = std::function<void()>;
  using Jobs = std::vector<std::shared_ptr<LayerJob>>;

  /// A plan of the image is being made: planned() follows. `readers` have read of it already.
  void expect(const Digest& config, const std::set<std::string>& readers, TimePoint now);
  /// No jobs: nothing of it is unpacked ahead.
  void planned(const Digest& config, const Jobs& jobs);
  /// Takes `go` and answers true when the read has to wait.
  bool hold(const Digest& config, const std::string& reader, Go& go, TimePoint now);
  /// Whether that namespace's pulls ask for no layers.
  [[nodiscard]] bool is_stranger(const std::string& reader) const { return strangers_.contains(reader); }
  /// The reads that need not wait any more; to be asked for after every change, and every second or so.
  std::vector<Go> release(TimePoint now);
  std::vector<Go> release_all();
  /// containerd wants this layer of the snapshotter.
  void asked(const LayerJob& job);

 private:
  struct Image {
    unsigned plans = 0;  ///< Under way.
    Jobs jobs;
    std::vector<Go> waiting;
    std::set<std::string> readers;
    std::set<std::string> held;  ///< Of the readers.
    TimePoint expected_at;
    std::uint64_t progress = 0;  ///< When somebody last looked, and since when it is that.
    TimePoint moved_at;
    std::optional<TimePoint> released_at;
    bool asked = false;
    bool given_up = false;
    [[nodiscard]] bool resolved() const;
    [[nodiscard]] std::uint64_t measure() const;
  };

  static void release(Image& image, TimePoint now, std::vector<Go>& released);
  /// Whether nothing more is to be learnt from it.
  bool is_done_with(const Image& image, TimePoint now);

  std::unordered_map<Digest, Image> images_;  // By config.
  std::set<std::string> strangers_;           // Namespaces that ask for no layers.
};

}  // namespace paceline::layers
