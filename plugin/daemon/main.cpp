// pacelined: flags, settings, objects, run.
#include <absl/synchronization/mutex.h>
#include <grpc/support/log.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/daemon/daemon.h"
#include "plugin/daemon/notify.h"
#include "plugin/daemon/options.h"
#include "plugin/daemon/print.h"

namespace paceline::daemon {
namespace {

// Blocked in every thread, so that only wait_for_signal() sees them.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // A peer that went away is an error of a write, not the end of the daemon.
  return set;
}

int wait_for_signal(const sigset_t& set) {
  int signal = 0;
  while (::sigwait(&set, &signal) != 0) {
  }
  return signal;
}

void log_lines(const std::string& text) {
  for (const auto line : split(text, '\n')) spdlog::error("{}", line);
}

// gRPC's own messages, which it would write to stderr in a form of its own.
void log_grpc(gpr_log_func_args* args) {
  const auto level = args->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
  spdlog::log(level, "grpc: {}", args->message);
}

int exit_code(Exit exit) { return static_cast<int>(exit); }

int check(const Options& options) {
  const auto settings = load_settings(options);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().message.c_str());
    return exit_code(Exit::kUsage);
  }
  std::error_code unknown;
  const bool absent = !options.config_named && !std::filesystem::exists(options.config_file, unknown) && !unknown;
  return exit_code(
      print(options.config_file.native() + (absent ? ": there is no such file; the defaults hold\n" : ": ok\n")));
}

void reload(Daemon& daemon, const Options& options, const std::string& status) {
  notify_reloading();
  if (const auto settings = load_settings(options)) {
    daemon.reload(*settings);
  } else {
    spdlog::error("reload: the configuration has mistakes; nothing is changed");
    log_lines(settings.error().message);
  }
  notify_ready(status);
}

int run(const Options& options, TimePoint began) {
  const sigset_t signals = block_signals();
  ::umask(0077);
  gpr_set_log_function(log_grpc);
  // Debian's abseil records the order in which gRPC takes its locks, under a lock of its own that all threads need: 8
  // to 14 % of a Read's processor time (measured).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  (void)set_up_logging("info", LogFormat::kText);  // For mistakes in the settings, which say how to log.

  const auto settings = load_settings(options);
  if (!settings) {
    log_lines(settings.error().message);
    return exit_code(Exit::kUsage);
  }
  if (auto set = set_up_logging(settings->log.level, settings->log.format); !set) {
    log_lines(set.error().message);
    return exit_code(Exit::kUsage);
  }

  auto daemon = Daemon::start(*settings);
  if (!daemon) {
    spdlog::error("cannot start: {}", daemon.error().message);
    return exit_code(Exit::kFailed);
  }
  const std::string mirror = (*daemon)->mirror_address();
  const std::string metrics = (*daemon)->metrics_address();
  const std::string status = "Serving on " + settings->address + (mirror.empty() ? "" : ", mirror on " + mirror) +
                             (metrics.empty() ? "" : ", metrics on " + metrics);
  notify_ready(status);
  spdlog::info("pacelined {}: {}; {} blobs, ready in {}", PACELINE_VERSION, status, (*daemon)->blobs(),
               format_duration(std::chrono::steady_clock::now() - began));

  for (;;) {
    const int signal = wait_for_signal(signals);
    if (signal != SIGHUP) {
      spdlog::info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      break;
    }
    reload(**daemon, options, status);
  }
  notify_stopping();
  const auto stopping = std::chrono::steady_clock::now();
  daemon->reset();
  spdlog::info("stopped in {}", format_duration(std::chrono::steady_clock::now() - stopping));
  return exit_code(Exit::kOk);
}

}  // namespace
}  // namespace paceline::daemon

int main(int argc, char** argv) try {
  using namespace paceline::daemon;
  const auto began = std::chrono::steady_clock::now();
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<Exit>(&parsed)) return exit_code(*exit);
  const auto& options = std::get<Options>(parsed);
  switch (options.command) {
    case Options::Command::kConfigDefault:
      return exit_code(print(paceline::config::default_toml()));
    case Options::Command::kConfigReference:
      return exit_code(print(paceline::config::reference_markdown()));
    case Options::Command::kConfigCheck:
      return check(options);
    case Options::Command::kRun:
      return run(options, began);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "pacelined: %s\n", error.what());
  return 1;
}
