// Ctrl-C and SIGTERM as an event: cancels the call that is under way, so that the command can say what goes on.
//
// Thread rule: make one in main before any other thread, so that all threads inherit the blocked signals; the rest from
// any thread. Between calls, and at the second Ctrl-C, the process ends at once with 130: nothing needs tidying up.
#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace paceline::cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] bool interrupted() const { return interrupted_; }

  /// While it lives, an interrupt cancels `context`.
  class Guard {
   public:
    Guard(Interrupts& interrupts, grpc::ClientContext& context);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Interrupts& interrupts_;
  };

 private:
  void run();

  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace paceline::cli
