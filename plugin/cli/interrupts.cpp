#include "plugin/cli/interrupts.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "plugin/cli/exit_code.h"

namespace paceline::cli {
namespace {

// SIGURG, ignored by default, only wakes our own thread when it shall end.
constexpr int kWakeUp = SIGURG;

sigset_t signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, kWakeUp}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { run(); });
}

Interrupts::~Interrupts() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), kWakeUp);
  thread_.join();
}

void Interrupts::run() {
  const sigset_t set = signals();
  while (!stopping_) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0 || signal == kWakeUp) continue;
    const std::lock_guard lock(mutex_);
    if (context_ == nullptr || interrupted_.exchange(true)) ::_exit(static_cast<int>(Exit::kInterrupted));
    context_->TryCancel();
  }
}

Interrupts::Guard::Guard(Interrupts& interrupts, grpc::ClientContext& context) : interrupts_(interrupts) {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupts_.context_ = &context;
}

Interrupts::Guard::~Guard() {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupts_.context_ = nullptr;
}

}  // namespace paceline::cli
