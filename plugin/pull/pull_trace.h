// What the paths of one pull did while it ran: the number of streams over time and what each host showed.
// Thread rule: the network thread writes, any thread reads; one mutex inside, held for memory only.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adaptive/range_planner.h"
#include "plugin/base/clock.h"
#include "plugin/records/cold_start.h"

namespace paceline::pull {

class PullTrace {
 public:
  /// One look at a path that the pull uses.
  struct Look {
    TimePoint at;
    unsigned streams = 0;
    std::string_view reason;
    Duration rtt{0};
    Duration queue{0};
    Duration first_byte{0};
    double bytes_per_second = 0;
    adaptive::Pace streams_pace;  ///< Of this pull's own.
    std::uint64_t segments = 0;   ///< Cumulative, as out_of_order.
    std::uint64_t out_of_order = 0;
  };
  void look(const std::string& host, const Look& look);
  void throttled(const std::string& host, Duration silence);
  /// Another pull's policy ruled, or this one's ruled another pull.
  void set_mixed();

  [[nodiscard]] bool mixed() const;
  /// Into a record whose milliseconds count from `started`.
  void describe(records::ColdStart& record, TimePoint started) const;

 private:
  struct Change {
    TimePoint at;
    std::string host;
    unsigned streams;
    std::string reason;
  };
  /// The mean over time of a value that holds from one look to the next.
  class Mean {
   public:
    void add(double value, double seconds) {
      sum_ += value * seconds;
      seconds_ += seconds;
    }
    [[nodiscard]] double value() const { return seconds_ > 0 ? sum_ / seconds_ : 0; }

   private:
    double sum_ = 0, seconds_ = 0;
  };
  struct Seen {
    records::Host host;
    unsigned streams = 0;
    bool looked = false;
    TimePoint last;
    Mean queue_ms, stream_rate, stream_spread;
    std::uint64_t first_segments = 0, first_out_of_order = 0;
  };
  mutable std::mutex mutex_;
  std::vector<Change> changes_;
  std::map<std::string, Seen> hosts_;
  bool mixed_ = false;
};

}  // namespace paceline::pull
