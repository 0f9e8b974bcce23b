// How many requests each host was sent, by the status of its answer; counted once a request, when it has ended.
// Thread rule: any thread; one mutex inside, held for memory only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace paceline::net {

struct RequestCount {
  std::string host;  ///< host:port; empty: those for which there was no room.
  int status = 0;    ///< HTTP's; 0: the connection broke, or the request was given up, before an answer.
  std::uint64_t count = 0;
};

class RequestTally {
 public:
  /// Hosts and statuses are others' to choose: past `most` pairs, new ones are counted without a host.
  explicit RequestTally(std::size_t most = 4096) : most_(most) {}

  void count(const std::string& host, int status);
  [[nodiscard]] std::vector<RequestCount> counts() const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> counts_;
};

}  // namespace paceline::net
