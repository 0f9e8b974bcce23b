// The service on a real gRPC server and a real store, with a fake pull manager behind it.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>

#include "plugin/api/paceline_service.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/api/fake_pulls.h"

namespace paceline::test {

class ApiServer {
 public:
  ApiServer() {
    auto opened = store::Store::open({.content = folder.path() / "content", .quota = 0, .free_floor = 0}, clock);
    EXPECT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    auto kept = records::RecordStore::open(folder.path() / "records.db", {});
    EXPECT_TRUE(kept) << kept.error().message;
    records = std::move(*kept);
    service = std::make_unique<api::PacelineService>(pulls, *store, records.get(), clock, "1.2.3");
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + address(), grpc::InsecureServerCredentials());
    builder.RegisterService(service.get());
    server = builder.BuildAndStart();
    stub = v1::Paceline::NewStub(server->InProcessChannel({}));
  }
  ~ApiServer() {
    service->stop();
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    server->Wait();
  }

  [[nodiscard]] std::string address() const { return (folder.path() / "paceline.sock").string(); }

  Digest hide(const std::string& bytes) {
    const Digest digest = sha256(bytes);
    const auto put = store->put_hidden(digest, bytes, store::Purpose::kPrefetch);
    EXPECT_TRUE(put) << put.error().message;
    return digest;
  }

  TempDir folder;
  SystemClock clock;
  FakePulls pulls;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<records::RecordStore> records;
  std::unique_ptr<api::PacelineService> service;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<v1::Paceline::Stub> stub;
};

/// An image of a config and one layer as the store knows it: all hidden. Returns the manifest's digest.
struct StoredImage {
  Digest manifest, config, layer;
};

inline StoredImage hide_image(ApiServer& api, const std::string& name) {
  StoredImage image;
  const std::string config = "config of " + name;
  const std::string layer = "layer of " + name;
  image.config = api.hide(config);
  image.layer = api.hide(layer);
  image.manifest =
      api.hide(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":)"
               R"("application/vnd.oci.image.config.v1+json","digest":")" +
               image.config.to_string() + R"(","size":)" + std::to_string(config.size()) +
               R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
               image.layer.to_string() + R"(","size":)" + std::to_string(layer.size()) + "}]}");
  return image;
}

}  // namespace paceline::test
