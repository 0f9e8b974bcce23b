// How many transfers may run to each host, so that no host sees more connections than it was promised: a plain count,
// no I/O. One thread at a time.
#pragma once

#include <string>
#include <unordered_map>

namespace paceline::net {

class ConnectionLimits {
 public:
  /// `usual`: of hosts without a limit of their own; 0: none.
  explicit ConnectionLimits(unsigned usual) : usual_(usual) {}

  void set_usual(unsigned most) { usual_ = most; }
  /// 0: as usual. What runs above a new limit runs on.
  void set(const std::string& host, unsigned most);

  /// Takes a place for a transfer to the host; false when all are taken.
  [[nodiscard]] bool enter(const std::string& host);
  /// Of one that entered.
  void leave(const std::string& host);

  /// The highest of all limits, for what cannot tell hosts apart; 0: some host has none.
  [[nodiscard]] unsigned highest() const;

 private:
  [[nodiscard]] unsigned limit(const std::string& host) const;

  unsigned usual_;
  std::unordered_map<std::string, unsigned> limits_;
  std::unordered_map<std::string, unsigned> running_;
};

}  // namespace paceline::net
