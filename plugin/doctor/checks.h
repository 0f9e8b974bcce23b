// What is to be said of a node, and the mend of each thing that is wrong. Pure function of the facts, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/doctor/node.h"

namespace paceline::doctor {

struct Finding {
  enum class State {
    kOk,
    kWarning,  ///< Works, but slower or less safe than it could be.
    kFailed,   ///< Paceline does not work on this node, or not for all that was asked of it.
    kSkipped,  ///< Does not apply here.
  };

  std::string check;  ///< A name that stays: "content-store".
  State state = State::kOk;
  std::string found;
  std::string mend;  ///< Empty where nothing is to be mended.
};

/// In the order in which things depend on each other, so that the first failure is the one to mend first.
std::vector<Finding> examine(const Node& node);

/// "ok", "warning", "failed", "skipped".
std::string_view word(Finding::State state);

}  // namespace paceline::doctor
