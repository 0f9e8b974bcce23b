// How one layer's blob becomes a folder: it is looked for where its files may be already, unpacked while the blob
// arrives, and finished from the layers below. Which layers, in which order and for whom is LayerUnpacker's.
//
// Thread rule: any thread; one at a time for each job, of which its owner keeps the state. Waits for bytes and the
// disk.
#pragma once

#include <set>
#include <stop_token>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/layers/kept_layers.h"
#include "plugin/layers/layer_folders.h"
#include "plugin/layers/layer_job.h"
#include "plugin/layers/lower_layer.h"
#include "plugin/pull/flight_table.h"
#include "plugin/snapshots/snapshotter.h"
#include "plugin/store/store.h"
#include "plugin/unpack/worker_slots.h"

namespace paceline::layers {

/// Borrowed; outlive the maker.
struct MakerServices {
  store::Store& store;
  pull::FlightTable& flights;
  snapshots::Snapshotter& snapshotter;
  LayerFolders& folders;
  KeptLayers& kept;
};

class LayerMaker {
 public:
  /// `cores`: threads that work at a time, over all layers.
  LayerMaker(const MakerServices& services, unsigned cores, std::stop_token stop)
      : services_(services), slots_(cores), stop_(std::move(stop)) {}

  /// Until blob and diffID are right. Sets job.found or job.kept instead where the files are here already. `spared`:
  /// chain IDs of kept layers that are not to make room for it.
  Status make(LayerJob& job, const std::set<Digest>& spared);
  /// Takes from `lowers` (top first) what the archive left open, and counts.
  Status finish(LayerJob& job, const std::vector<LowerLayer>& lowers);
  /// Whether the files of a lower layer are where nobody has begun to remove them.
  [[nodiscard]] bool is_whole(const LowerLayer& lower);
  /// Moves what is finished to the kept layers; job.outcome says why not.
  void keep(LayerJob& job, const std::set<Digest>& spared);

 private:
  Status find_in_snapshotter(LayerJob& job);
  Status find_kept(LayerJob& job);
  Status check_room(const std::set<Digest>& spared);

  const MakerServices services_;
  unpack::WorkerSlots slots_;
  const std::stop_token stop_;
};

}  // namespace paceline::layers
