// The connection to the daemon, and its errors in words that help.
//
// Thread rule: one thread; a Stream's reads block. Owns the channel; borrows options and interrupts.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "paceline/v1/paceline.grpc.pb.h"
#include "plugin/cli/failure.h"
#include "plugin/cli/interrupts.h"
#include "plugin/cli/options.h"

namespace paceline::cli {

class Client {
 public:
  using Stub = v1::Paceline::Stub;

  /// Tries the socket first, so that the reason why it cannot be reached is the true one.
  static Outcome<std::unique_ptr<Client>> connect(const Options& options, Interrupts& interrupts);

  template <class Request, class Response>
  Outcome<Response> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                         const Request& request) {
    grpc::ClientContext context;
    set_deadline(context, kShortCall);
    const Interrupts::Guard guard(interrupts_, context);
    Response response;
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    if (!status.ok()) return tl::unexpected(explain(status));
    return response;
  }

  /// A server stream being read.
  template <class Event>
  class Stream {
   public:
    bool read(Event& event) { return reader_->Read(&event); }
    /// After read() said false. An interrupt is a Failure with Exit::kInterrupted.
    Outcome<void> finish() {
      const grpc::Status status = reader_->Finish();
      if (status.ok()) return {};
      return tl::unexpected(client_.explain(status));
    }
    /// Stops reading; finish() is not needed then.
    void abandon() {
      context_->TryCancel();
      reader_->Finish();
    }

   private:
    friend class Client;
    Stream(Client& client, std::unique_ptr<grpc::ClientContext> context)
        : client_(client), context_(std::move(context)), guard_(client.interrupts_, *context_) {}
    Client& client_;
    std::unique_ptr<grpc::ClientContext> context_;
    Interrupts::Guard guard_;
    std::unique_ptr<grpc::ClientReader<Event>> reader_;
  };

  template <class Request, class Event>
  std::unique_ptr<Stream<Event>> stream(std::unique_ptr<grpc::ClientReader<Event>> (Stub::*method)(grpc::ClientContext*,
                                                                                                   const Request&),
                                        const Request& request) {
    auto context = std::make_unique<grpc::ClientContext>();
    set_deadline(*context, std::nullopt);
    std::unique_ptr<Stream<Event>> stream(new Stream<Event>(*this, std::move(context)));
    stream->reader_ = ((*stub_).*method)(stream->context_.get(), request);
    return stream;
  }

 private:
  static constexpr std::chrono::seconds kShortCall{30};

  Client(const Options& options, Interrupts& interrupts);
  void set_deadline(grpc::ClientContext& context, std::optional<std::chrono::nanoseconds> otherwise) const;
  [[nodiscard]] Failure explain(const grpc::Status& status) const;

  const Options& options_;
  Interrupts& interrupts_;
  std::unique_ptr<Stub> stub_;
};

/// The path of a socket's address: "/path", "unix:/path" or "unix:///path".
Outcome<std::string> socket_path(const std::string& address);
/// Why connect(2) to the daemon failed, and what to do about it.
Failure explain_unreachable(int errno_value, const std::string& path);

}  // namespace paceline::cli
