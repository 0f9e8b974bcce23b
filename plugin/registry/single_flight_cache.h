// Values that are costly to make (a token, a helper's answer) and good for a while: each key is made once at a time,
// and whoever asks meanwhile waits for that one answer, be it a value or an error. Errors are not kept.
//
// Any thread. No lock is held while a value is made.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"

namespace paceline::registry {

template <class Value>
class SingleFlightCache {
 public:
  struct Made {
    Value value;
    TimePoint good_until;
  };

  explicit SingleFlightCache(const Clock& clock) : clock_(clock) {}

  Result<Value> get(const std::string& key, const std::function<Result<Made>()>& make) {
    std::unique_lock lock(mutex_);
    if (const auto found = flights_.find(key); found != flights_.end()) {
      const std::shared_ptr<Flight> flight = found->second;
      if (!flight->result) {
        landed_.wait(lock, [&] { return flight->result.has_value(); });
        return *flight->result;
      }
      if (clock_.now() < flight->good_until) return *flight->result;
    }
    trim();
    const auto flight = std::make_shared<Flight>();
    flights_[key] = flight;
    lock.unlock();
    Result<Made> made = make();
    lock.lock();
    if (made) {
      flight->result.emplace(std::move(made->value));
      flight->good_until = made->good_until;
    } else {
      flight->result.emplace(fail(made.error()));
      if (const auto found = flights_.find(key); found != flights_.end() && found->second == flight)
        flights_.erase(found);
    }
    landed_.notify_all();
    return *flight->result;
  }

  /// Forgets the values for which `matches` is true.
  void drop(const std::function<bool(const std::string& key, const Value& value)>& matches) {
    const std::lock_guard lock(mutex_);
    std::erase_if(flights_, [&](const auto& item) {
      return item.second->result && *item.second->result && matches(item.first, **item.second->result);
    });
  }

 private:
  // A node sees some hundred repositories; a client that invents names must not make the daemon grow.
  static constexpr std::size_t kMaxKept = 2000;

  struct Flight {
    std::optional<Result<Value>> result;  // Empty while it is made.
    TimePoint good_until{};
  };

  void trim() {
    if (flights_.size() < kMaxKept) return;
    std::erase_if(flights_, [](const auto& item) { return item.second->result.has_value(); });
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable landed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace paceline::registry
