// Applies a layer, whose blob is in the store or on its way there, to the mounts that containerd names.
// Thread rule: any thread, several at once; apply() waits for the blob and for the disk. Borrows store and flights.
#pragma once

#include "plugin/differ/layer_applier.h"
#include "plugin/pull/flight_table.h"
#include "plugin/store/store.h"
#include "plugin/unpack/worker_slots.h"

namespace paceline::layers {

class StoreLayerApplier final : public differ::LayerApplier {
 public:
  StoreLayerApplier(store::Store& store, pull::FlightTable& flights, unsigned workers)
      : store_(store), flights_(flights), slots_(workers) {}

  /// kUnimplemented for what is not in the store, mounts of other kinds, folders that hold something already.
  Result<containerd::types::Descriptor> apply(const differ::LayerToApply& what, std::stop_token stop) override;

 private:
  store::Store& store_;
  pull::FlightTable& flights_;
  unpack::WorkerSlots slots_;
};

}  // namespace paceline::layers
