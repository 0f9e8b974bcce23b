#include "plugin/daemon/daemon.h"

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"

namespace paceline::daemon {
namespace {

using namespace std::chrono_literals;

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    config_.root = dir_.path() / "root";
    config_.address = dir_.path() / "run" / "p.sock";
    config_.mirror.address = "127.0.0.1:0";
    config_.metrics.address = "127.0.0.1:0";
    config_.registry.certs_dirs = {dir_.path() / "certs.d"};
    config_.registry.docker_configs = {};
    config_.store.free_floor = 0;
  }

  std::unique_ptr<Daemon> start() {
    auto daemon = Daemon::start(config_);
    EXPECT_TRUE(daemon) << daemon.error().message;
    return daemon ? std::move(*daemon) : nullptr;
  }

  std::shared_ptr<grpc::Channel> channel() {
    return grpc::CreateChannel("unix:" + config_.address, grpc::InsecureChannelCredentials());
  }

  test::TempDir dir_;
  config::Config config_;
};

TEST_F(DaemonTest, ServesContentApiAndMirror) {
  const auto daemon = start();
  ASSERT_TRUE(daemon);
  struct stat info {};
  ASSERT_EQ(::stat(config_.address.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);

  grpc::ClientContext version_call;
  v1::Version version;
  const auto answered = v1::Paceline::NewStub(channel())->GetVersion(&version_call, {}, &version);
  EXPECT_TRUE(answered.ok()) << answered.error_message();

  grpc::ClientContext list_call;
  const auto content = containerd::services::content::v1::Content::NewStub(channel());
  const auto reader = content->List(&list_call, {});
  containerd::services::content::v1::ListContentResponse blobs;
  while (reader->Read(&blobs)) EXPECT_EQ(blobs.info_size(), 0);
  EXPECT_TRUE(reader->Finish().ok());

  net::NetworkThread client{net::NetworkOptions{}};
  net::HttpRequest ping;
  ping.url = "http://" + daemon->mirror_address() + "/v2/";
  EXPECT_EQ(client.fetch(ping, 1024)->status, 200);
}

TEST_F(DaemonTest, StopsQuicklyWhileARegistryHangs) {
  test::FakeServer registry(
      [](const test::FakeRequest&, test::FakeConnection& connection) { connection.wait_until_closed(); });
  std::filesystem::create_directories(dir_.path() / "certs.d" / "_default");
  std::ofstream(dir_.path() / "certs.d" / "_default" / "hosts.toml") << "server = \"" << registry.url("") << "\"\n";
  auto daemon = start();
  ASSERT_TRUE(daemon);
  net::NetworkThread client{net::NetworkOptions{}};
  net::HttpRequest request;
  request.url = "http://" + daemon->mirror_address() + "/v2/a/manifests/v1?ns=registry.example";
  std::thread asking([&] { (void)client.fetch(request, 1024); });
  EXPECT_TRUE(registry.wait_for_requests(1));
  daemon->stop();
  daemon.reset();
  asking.join();
  EXPECT_TRUE(start()) << "socket, port and root are free again";
}

TEST_F(DaemonTest, ASecondDaemonLeavesTheFirstAlone) {
  const auto first = start();
  ASSERT_TRUE(first);
  const auto same_socket = Daemon::start(config_);
  ASSERT_FALSE(same_socket);
  EXPECT_NE(same_socket.error().message.find(config_.address), std::string::npos);

  auto other = config_;
  other.address = dir_.path() / "run" / "other.sock";
  const auto same_root = Daemon::start(other);
  ASSERT_FALSE(same_root);
  EXPECT_NE(same_root.error().message.find(config_.root.native()), std::string::npos) << same_root.error().message;

  other.root = dir_.path() / "other";
  other.mirror.address = first->mirror_address();
  const auto same_port = Daemon::start(other);
  ASSERT_FALSE(same_port);
  EXPECT_NE(same_port.error().message.find(first->mirror_address()), std::string::npos);

  grpc::ClientContext call;
  v1::Version version;
  EXPECT_TRUE(v1::Paceline::NewStub(channel())->GetVersion(&call, {}, &version).ok());
}

TEST_F(DaemonTest, ReloadTakesNewSettings) {
  const auto daemon = start();
  ASSERT_TRUE(daemon);
  auto changed = config_;
  changed.fetch.retries = 7;
  changed.log.level = "debug";
  changed.root = "/elsewhere";
  daemon->reload(changed);
  EXPECT_EQ(spdlog::default_logger_raw()->level(), spdlog::level::debug);
  daemon->reload(config_);
}

TEST_F(DaemonTest, WithoutAMirror) {
  config_.mirror.enabled = false;
  const auto daemon = start();
  ASSERT_TRUE(daemon);
  EXPECT_EQ(daemon->mirror_address(), "");
}

}  // namespace
}  // namespace paceline::daemon
