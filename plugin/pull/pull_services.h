// What pulls need of the rest of the daemon; borrowed, and outlives them.
#pragma once

#include <filesystem>

#include "plugin/base/clock.h"
#include "plugin/config/config.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/end_listener.h"
#include "plugin/pull/flight_table.h"
#include "plugin/pull/plan_listener.h"
#include "plugin/records/sink.h"
#include "plugin/registry/repository.h"
#include "plugin/store/store.h"

namespace paceline::pull {

struct PullServices {
  const config::Config& config;
  const Clock& clock;
  net::NetworkThread& network;
  registry::Registries& registries;
  store::Store& store;
  FlightTable& flights;
  std::filesystem::path state;       ///< Folder for what survives a restart: pulls under way, path memory.
  PlanListener* listener = nullptr;  ///< Told of foreground pulls, unpacks for the others; may be null.
  EndListener* ends = nullptr;       ///< Told of every pull's end; may be null.
  records::Sink* records = nullptr;  ///< Told of each cold start; may be null.
};

}  // namespace paceline::pull
