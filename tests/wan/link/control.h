// The control socket: one command a line, one line of answer. Never blocks the link. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/fd.h"
#include "tests/wan/link/link.h"

namespace paceline::wan {

class Control {
 public:
  /// Throws std::system_error. Removes a socket that a killed run has left.
  Control(const std::string& path, Link& link);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  [[nodiscard]] int listener() const { return listener_.get(); }
  /// The clients' descriptors, to be polled for reading.
  [[nodiscard]] std::vector<int> clients() const;
  void accept();
  void serve(int client);

 private:
  struct Client {
    UniqueFd fd;
    std::string line;
  };
  [[nodiscard]] std::string answer(std::string_view line);

  std::string path_;
  Link& link_;
  UniqueFd listener_;
  std::vector<Client> clients_;
};

}  // namespace paceline::wan
