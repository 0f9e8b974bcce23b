// What a command works with, and how the commands are found.
// Thread rule: one thread. Borrows all of it.
#pragma once

#include <functional>
#include <memory>

#include "plugin/base/clock.h"
#include "plugin/cli/client.h"
#include "plugin/cli/failure.h"
#include "plugin/cli/interrupts.h"
#include "plugin/cli/options.h"
#include "plugin/cli/output.h"

namespace CLI {
class App;
}

namespace paceline::cli {

struct Session {
  const Options& options;
  Output& output;
  Interrupts& interrupts;
  const Clock& clock;

  [[nodiscard]] Outcome<std::unique_ptr<Client>> connect() const { return Client::connect(options, interrupts); }
  [[nodiscard]] std::int64_t now_unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch()).count();
  }
};

/// What the command line asks for; it is set while parsing and run afterwards.
using Action = std::function<Exit(Session&)>;

void add_prefetch(CLI::App& app, Action& chosen);
void add_pulls(CLI::App& app, Action& chosen);
void add_status(CLI::App& app, Action& chosen);
void add_cancel(CLI::App& app, Action& chosen);
void add_blobs(CLI::App& app, Action& chosen);
void add_verify(CLI::App& app, Action& chosen);
void add_pin(CLI::App& app, Action& chosen);
void add_unpin(CLI::App& app, Action& chosen);
void add_pins(CLI::App& app, Action& chosen);
void add_evict(CLI::App& app, Action& chosen);
void add_paths(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_explain(CLI::App& app, Action& chosen);
void add_analyze(CLI::App& app, Action& chosen);
void add_compare(CLI::App& app, Action& chosen);
void add_calibrate(CLI::App& app, Action& chosen);
void add_doctor(CLI::App& app, Action& chosen);
void add_install(CLI::App& app, Action& chosen);
void add_uninstall(CLI::App& app, Action& chosen);
void add_version(CLI::App& app, Action& chosen);
void add_completion(CLI::App& app, Action& chosen);

}  // namespace paceline::cli
