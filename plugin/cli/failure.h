// Why a command did not do what it was asked: what to print, and what to exit with. Value, any thread.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "plugin/cli/exit_code.h"

namespace paceline::cli {

struct Failure {
  Exit exit = Exit::kFailed;
  std::string message;  ///< Names the thing, the cause and the mend.
};

template <class T>
using Outcome = tl::expected<T, Failure>;

}  // namespace paceline::cli
