// The status page at / and what it is fed with at /status.json, on the metrics' port.
//
// Both name images, so that, unlike metrics, they are not for every user of the machine: the kernel tells who asks. A
// request has to name this machine as its host: a web page elsewhere whose name was made to point here gets nothing.
// The page is one file that loads nothing; whatever others named is put into it as text.
// Thread rule: any thread. Borrows what it is given.
#pragma once

#include <functional>
#include <string>

#include "plugin/mirror/callers.h"
#include "plugin/mirror/http_message.h"

namespace paceline::status {

class Pages {
 public:
  /// `state`: the JSON of the moment.
  Pages(mirror::Callers readers, std::function<std::string()> state)
      : readers_(std::move(readers)), state_(std::move(state)) {}

  /// Of a GET or HEAD for "/" or "/status.json".
  [[nodiscard]] mirror::Response answer(const mirror::Request& request) const;

 private:
  const mirror::Callers readers_;
  const std::function<std::string()> state_;
};

}  // namespace paceline::status
