// Applies a layer, whose blob is in the store or on its way there, to the mounts that containerd names. One that is
// unpacked already becomes the upper folder by a rename.
// Thread rule: any thread, several at once; apply() waits for the blob and for the disk. Borrows store and flights.
#pragma once

#include <optional>
#include <vector>

#include "plugin/base/fd.h"
#include "plugin/differ/layer_applier.h"
#include "plugin/layers/apply_target.h"
#include "plugin/layers/ready_layers.h"
#include "plugin/pull/flight_table.h"
#include "plugin/store/store.h"
#include "plugin/unpack/worker_slots.h"

namespace paceline::layers {

class StoreLayerApplier final : public differ::LayerApplier {
 public:
  /// `ready` may be null.
  StoreLayerApplier(store::Store& store, pull::FlightTable& flights, unsigned workers, ReadyLayers* ready)
      : store_(store), flights_(flights), ready_(ready), slots_(workers) {}

  /// kUnimplemented for what is not in the store, mounts of other kinds, folders that hold something already.
  Result<containerd::types::Descriptor> apply(const differ::LayerToApply& what, std::stop_token stop) override;

 private:
  struct Folders {
    UniqueFd upper;
    std::vector<UniqueFd> lowers;
    [[nodiscard]] std::vector<int> borrowed_lowers() const;
  };
  struct Applied {
    Digest diff_id;
    std::uint64_t bytes = 0;
  };
  static Result<Folders> open_folders(const ApplyTarget& target);
  Result<Applied> unpack(const differ::LayerToApply& what, const Digest& blob, const Folders& folders,
                         std::stop_token stop);
  std::optional<Applied> take_ready(const Digest& blob, const ApplyTarget& target, const Folders& folders);

  store::Store& store_;
  pull::FlightTable& flights_;
  ReadyLayers* const ready_;
  unpack::WorkerSlots slots_;
};

}  // namespace paceline::layers
