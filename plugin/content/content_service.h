// containerd's content service over the store and the table of flights: Paceline's heart.
//
// Info, List, Status, ListStatuses and the first STAT of a Write answer from memory; COMMIT is a rename. The second
// STAT of a Write whose blob the daemon is fetching is held until it is there, so that containerd has nothing left to
// fetch. Fetched blobs stay hidden from List until containerd first touches them.
//
// Thread rule: gRPC calls it from any thread; the server must be shut down before the service is destroyed.
// Borrows store, flights, clock and gate.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "containerd/services/content/v1/content.grpc.pb.h"
#include "plugin/base/clock.h"
#include "plugin/content/read_gate.h"
#include "plugin/content/read_timed.h"
#include "plugin/pull/flight_table.h"
#include "plugin/store/store.h"

namespace paceline::content {

class ContentService {
 public:
  /// `gate` may be null: then no reader ever waits. `timed` may be empty.
  ContentService(store::Store& store, pull::FlightTable& flights, const Clock& clock, ReadGate* gate = nullptr,
                 ReadTimed timed = {});
  ~ContentService();

  /// Registers the service and lets the server accept messages as large as containerd sends.
  void add_to(grpc::ServerBuilder& builder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::content
