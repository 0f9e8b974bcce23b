// The layers that are being unpacked or on offer, each once, by its chain ID; in which order they are begun, finished
// and forgotten. Thread rule: its owner's mutex guards it, and the state of every job.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/layers/kept_layers.h"
#include "plugin/layers/layer_job.h"
#include "plugin/layers/lower_layer.h"

namespace paceline::layers {

class JobTable {
 public:
  using Job = std::shared_ptr<LayerJob>;

  /// An image's jobs, bottom first, and those of them that are to be begun: new ones, and ones that are to begin again
  /// or earlier.
  struct Image {
    std::vector<Job> all;
    std::vector<Job> due;
  };
  /// Whose turn is first. Who waits for all layers of an image is served soonest when the one that takes longest is
  /// not the last to begin.
  enum class Order { kLargestFirst, kBottomFirst };
  /// `foreground`: somebody waits for them, so that they go before those of prefetches.
  Image add(const std::vector<PlannedLayer>& layers, bool foreground, Order order, KeptLayers& kept);

  /// Null when there is none.
  [[nodiscard]] Job find(const std::string& chain_id) const;
  /// Its layer is of that blob, and the layers below it are those folders (open, top first); or null.
  [[nodiscard]] Job find_on(const Digest& blob, const std::vector<int>& lowers) const;
  /// One that is unpacked, and below which nothing is under way that it waits for.
  struct ToFinish {
    Job job;
    /// The layers below, top first, if anything is to be taken from them; or why that cannot be.
    Result<std::vector<LowerLayer>> lowers;
  };
  [[nodiscard]] std::optional<ToFinish> next_to_finish() const;
  /// Forgets the jobs that were resolved before `latest`, and answers them.
  std::vector<Job> take_expired(TimePoint latest);

 private:
  Job job_for(const PlannedLayer& layer, const Job& below, unpack::WorkerSlots::Rank rank, bool foreground,
              KeptLayers& kept, std::vector<Job>& due);
  [[nodiscard]] bool is_expired(const LayerJob& job, TimePoint latest) const;

  std::unordered_map<std::string, Job> jobs_;
  unpack::WorkerSlots::Rank next_rank_ = 0;
};

}  // namespace paceline::layers
