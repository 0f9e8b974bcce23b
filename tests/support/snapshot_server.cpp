// The snapshots service alone, for tests with a real containerd: layers are handed over from a folder, in which each
// lies unpacked under its chain ID.
//
// usage: snapshot_server ROOT SOCKET LAYERS
#include <grpcpp/server.h>

#include <csignal>
#include <iostream>

#include "plugin/snapshots/snapshots_service.h"

namespace {

class LayersInFolder final : public paceline::snapshots::LayerProvider {
 public:
  explicit LayersInFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void request(const std::string& chain_id, paceline::TimePoint /*deadline*/, Answer answer) override {
    const auto layer = folder_ / chain_id;
    if (std::filesystem::is_directory(layer)) {
      answer(paceline::snapshots::UnpackedLayer{layer, std::nullopt});
    } else {
      answer(std::nullopt);
    }
  }

 private:
  const std::filesystem::path folder_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: snapshot_server ROOT SOCKET LAYERS\n";
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const paceline::SystemClock clock;
  auto snapshotter = paceline::snapshots::Snapshotter::open(argv[1], clock);
  if (!snapshotter) {
    std::cerr << snapshotter.error().to_string() << "\n";
    return 1;
  }
  LayersInFolder layers(argv[3]);
  paceline::snapshots::SnapshotsService service(**snapshotter, &layers, std::chrono::seconds(1), clock);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("unix:") + argv[2], grpc::InsecureServerCredentials());
  service.add_to(builder);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  return 0;
}
