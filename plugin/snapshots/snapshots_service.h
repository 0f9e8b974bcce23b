// containerd's snapshots service over the snapshotter.
//
// A Prepare that names the layer it is for (the label containerd.io/snapshot.ref) is answered ALREADY_EXISTS when that
// layer is here, unpacked: containerd then looks for the committed snapshot of the same label and parent, and neither
// fetches nor unpacks the layer. Such a Prepare waits for the provider, but not for long: containerd's garbage
// collection, and with it every other snapshot call, waits behind it.
//
// Thread rule: gRPC calls it from any thread; the server must be shut down before the service is destroyed.
// Borrows the snapshotter, the provider and the clock.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "plugin/base/clock.h"
#include "plugin/snapshots/layer_provider.h"
#include "plugin/snapshots/snapshotter.h"

namespace paceline::snapshots {

class SnapshotsService {
 public:
  /// `provider` may be null: then only layers that some snapshot holds already are reused. `patience`: how long a
  /// Prepare may wait for a layer that is on its way.
  SnapshotsService(Snapshotter& snapshotter, LayerProvider* provider, Duration patience, const Clock& clock);
  ~SnapshotsService();

  void add_to(grpc::ServerBuilder& builder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::snapshots
