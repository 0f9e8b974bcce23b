// Serves a content store on a unix socket until SIGTERM, with the daemon's own flags. For tests: no daemon around it.
#include <grpcpp/grpcpp.h>
#include <sys/signal.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <string>

#include "plugin/base/log.h"
#include "plugin/content/content_service.h"

int main(int argc, char** argv) {
  CLI::App app{"content store on a unix socket"};
  std::string root;
  std::string address;
  app.add_option("--root", root, "folder of the store")->required();
  app.add_option("--address", address, "path of the socket")->required();
  CLI11_PARSE(app, argc, argv);

  // Before any thread starts, so that all inherit it and sigwait alone receives the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  const paceline::SystemClock clock;
  paceline::store::StoreOptions options;
  options.content = root;
  auto store = paceline::store::Store::open(options, clock);
  if (!store) {
    spdlog::error("{}", store.error().to_string());
    return 1;
  }
  paceline::pull::FlightTable flights;
  paceline::content::ContentService content(**store, flights, clock);

  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + address, grpc::InsecureServerCredentials());
  content.add_to(builder);
  const auto server = builder.BuildAndStart();
  if (!server) {
    spdlog::error("cannot listen on {}", address);
    return 1;
  }
  int received = 0;
  sigwait(&signals, &received);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  return 0;
}
