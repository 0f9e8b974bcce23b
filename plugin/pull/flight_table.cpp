#include "plugin/pull/flight_table.h"

#include <algorithm>

namespace paceline::pull {

bool FlightTable::take_off(const Digest& digest, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  return flights_.try_emplace(digest, Flight{{.size = size}, {}}).second;
}

void FlightTable::progress(const Digest& digest, std::uint64_t received) {
  const std::lock_guard lock(mutex_);
  if (const auto it = flights_.find(digest); it != flights_.end()) it->second.view.received = received;
}

void FlightTable::advance(const Digest& digest, std::uint64_t prefix) {
  std::vector<Advanced> followers;
  {
    const std::lock_guard lock(mutex_);
    const auto it = flights_.find(digest);
    if (it == flights_.end() || it->second.view.prefix == prefix) return;
    it->second.view.prefix = prefix;
    for (const Waiter& waiter : it->second.waiters) {
      if (waiter.advanced) followers.push_back(waiter.advanced);
    }
  }
  for (const auto& advanced : followers) advanced(prefix);
}

void FlightTable::land(const Digest& digest, const Status& outcome) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    const auto it = flights_.find(digest);
    if (it == flights_.end()) return;
    waiters = std::move(it->second.waiters);
    flights_.erase(it);
  }
  for (const Waiter& waiter : waiters) waiter.landed(outcome);
}

std::optional<FlightTable::View> FlightTable::find(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto it = flights_.find(digest);
  if (it == flights_.end()) return std::nullopt;
  return it->second.view;
}

std::optional<WaitId> FlightTable::wait(const Digest& digest, Landed landed) {
  return follow(digest, {}, std::move(landed));
}

std::optional<WaitId> FlightTable::follow(const Digest& digest, Advanced advanced, Landed landed) {
  const std::lock_guard lock(mutex_);
  const auto it = flights_.find(digest);
  if (it == flights_.end()) return std::nullopt;
  it->second.waiters.push_back({next_wait_, std::move(advanced), std::move(landed)});
  return next_wait_++;
}

void FlightTable::cancel(WaitId id) {
  const std::lock_guard lock(mutex_);
  for (auto& [digest, flight] : flights_) {
    std::erase_if(flight.waiters, [id](const auto& waiter) { return waiter.id == id; });
  }
}

void FlightTable::set_demand_hook(std::function<void(const Digest&)> hook) {
  const std::lock_guard lock(mutex_);
  demand_hook_ = std::move(hook);
}

void FlightTable::demand(const Digest& digest) {
  std::function<void(const Digest&)> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = demand_hook_;
  }
  if (hook) hook(digest);
}

}  // namespace paceline::pull
