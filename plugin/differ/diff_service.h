// containerd's diff service: Apply goes to the applier; Diff is left to containerd, whose diff service asks its next
// differ when one answers UNIMPLEMENTED.
//
// Thread rule: gRPC calls it from any thread; the server must be shut down before the service is destroyed.
// Borrows the applier.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "plugin/differ/layer_applier.h"

namespace paceline::differ {

class DiffService {
 public:
  explicit DiffService(LayerApplier& applier);
  ~DiffService();

  void add_to(grpc::ServerBuilder& builder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::differ
