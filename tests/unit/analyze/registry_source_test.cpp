// Images read from a registry by byte ranges: with a token, over a redirect, and from registries that misbehave.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "plugin/analyze/open_image.h"
#include "plugin/base/files.h"
#include "tests/support/fake_server.h"
#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::FakeConnection;
using test::FakeHeaders;
using test::FakeRequest;
using test::FakeServer;
using test::TarWriter;

/// Serves an OCI layout as a registry.
class LayoutRegistry {
 public:
  explicit LayoutRegistry(const std::vector<std::string>& tars) : manifest_(test::write_layout(dir_.path(), tars)) {}

  std::string blob(const std::string& digest) const {
    auto text = read_file(dir_.path() / "blobs" / "sha256" / digest.substr(digest.find(':') + 1), 1U << 30U);
    return text ? *text : std::string();
  }
  void serve(const FakeRequest& request, FakeConnection& connection) const {
    const auto manifest = request.target.find("/manifests/");
    if (manifest != std::string::npos) {
      connection.respond(request, 200, blob(manifest_.to_string()), {{"Content-Type", std::string(oci::kOciManifest)}});
    } else if (const auto at = request.target.find("sha256:"); at != std::string::npos) {
      connection.serve(request, blob(request.target.substr(at, 71)));
    } else {
      connection.respond(request, 200, "{}");
    }
  }

 private:
  test::TempDir dir_;
  Digest manifest_;
};

/// `mirrors`: URLs that are asked before the registry.
std::string error_or_names(const FakeServer& server, const std::vector<std::string>& mirrors = {},
                           const RegistrySettings& settings = {}) {
  // It speaks plain HTTP, and would wait for the end of a TLS greeting.
  const test::TempDir certs;
  std::filesystem::create_directories(certs.path() / server.host());
  std::string hosts = "server = \"" + server.url("") + "\"\n";
  for (const auto& mirror : mirrors) hosts += "[host.\"" + mirror + "\"]\n";
  certs.write(server.host() + "/hosts.toml", hosts);
  OpenOptions options;
  options.platform = *oci::Platform::parse("linux/amd64");
  options.registry = settings;
  options.registry.certs_dirs = {certs.path()};
  auto image = open_image(server.host() + "/team/app:1", options);
  if (!image) return "error: " + image.error().message;
  auto analysis = analyze(**image, {.threads = 2});
  if (!analysis) return "error: " + analysis.error().message;
  std::string out;
  for (const auto& file : analysis->tree.files()) out += analysis->tree.path(file.node) + " ";
  return out;
}

const std::vector<std::string> kTars = {TarWriter().file("a", "1").finish(),
                                        TarWriter().file("big", test::noise(20'000'000, 1)).file("b", "2").finish()};

std::size_t count_ranges(const FakeServer& server) {
  const auto requests = server.requests();
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [](const auto& request) { return request.has("Range"); }));
}

TEST(RegistrySource, LayersComeInRanges) {
  const LayoutRegistry registry(kTars);
  FakeServer server([&](const auto& request, auto& connection) { registry.serve(request, connection); });
  EXPECT_EQ(error_or_names(server), "a big b ");
  EXPECT_GE(count_ranges(server), 3U);
}

TEST(RegistrySource, OverARedirectWithoutCredentials) {
  const LayoutRegistry registry(kTars);
  std::atomic<bool> leaked = false;
  FakeServer cdn([&](const auto& request, auto& connection) {
    leaked = leaked || request.has("Authorization");
    registry.serve(request, connection);
  });
  std::atomic<int> tokens = 0;
  std::string own;
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.starts_with("/token")) {
      ++tokens;
      connection.respond(request, 200, R"({"token":"t","expires_in":300})");
    } else if (request.header("Authorization") != "Bearer t") {
      connection.respond(request, 401, "{}",
                         {{"WWW-Authenticate", "Bearer realm=\"" + own + "/token\",service=\"s\""}});
    } else if (request.target.find("/blobs/") != std::string::npos) {
      connection.respond(request, 307, "", {{"Location", cdn.url(request.target)}});
    } else {
      registry.serve(request, connection);
    }
  });
  own = server.url("");
  EXPECT_EQ(error_or_names(server), "a big b ");
  EXPECT_FALSE(leaked);
  EXPECT_GE(tokens, 1);
}

TEST(RegistrySource, ErrorsNameTheImage) {
  const LayoutRegistry registry(kTars);
  FakeServer absent([](const auto& request, auto& connection) { connection.respond(request, 404, "{}"); });
  EXPECT_NE(error_or_names(absent).find("/team/app:1"), std::string::npos);
  FakeServer broken([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.find("/blobs/") != std::string::npos && request.has("Range")) {
      connection.respond(request, 403, "no");
    } else {
      registry.serve(request, connection);
    }
  });
  const std::string error = error_or_names(broken);
  EXPECT_NE(error.find("answered 403"), std::string::npos) << error;
  EXPECT_NE(error.find("layer 1"), std::string::npos) << error;
}

TEST(RegistrySource, WhatAMirrorLacksComesFromTheNextEndpoint) {
  const LayoutRegistry registry(kTars);
  FakeServer mirror([](const auto& request, auto& connection) { connection.respond(request, 404, "{}"); });
  const std::string down = "http://127.0.0.1:" + std::to_string(test::refused_port());
  FakeServer server([&](const auto& request, auto& connection) { registry.serve(request, connection); });
  EXPECT_EQ(error_or_names(server, {down, mirror.url("")}), "a big b ");
  // Once a layer: then the one that answers is known.
  EXPECT_LE(count_ranges(mirror), kTars.size());
  EXPECT_GE(count_ranges(server), 3U);
}

TEST(RegistrySource, AMirrorThatHasTheLayersIsTheOnlyOneAsked) {
  const LayoutRegistry registry(kTars);
  const auto serve = [&](const auto& request, auto& connection) { registry.serve(request, connection); };
  FakeServer mirror(serve), server(serve);
  EXPECT_EQ(error_or_names(server, {mirror.url("")}), "a big b ");
  EXPECT_TRUE(server.requests().empty());
}

TEST(RegistrySource, TheDaemonsOwnMirrorIsNotAsked) {
  const LayoutRegistry registry(kTars);
  const auto serve = [&](const auto& request, auto& connection) { registry.serve(request, connection); };
  FakeServer mirror(serve), server(serve);
  RegistrySettings settings;
  settings.own_mirror = mirror.host();
  EXPECT_EQ(error_or_names(server, {mirror.url("")}, settings), "a big b ");
  EXPECT_TRUE(mirror.requests().empty());
}

TEST(RegistrySource, ARangeThatStandsStillIsGivenUp) {
  const LayoutRegistry registry(kTars);
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (!request.has("Range")) return registry.serve(request, connection);
    connection.write("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\nab");
    connection.wait_until_closed();
  });
  RegistrySettings settings;
  settings.stall_window = std::chrono::milliseconds(50);
  const std::string error = error_or_names(server, {}, settings);
  EXPECT_NE(error.find("stalled"), std::string::npos) << error;
}

TEST(RegistrySource, AChallengeOfARedirectsTargetIsNotAnswered) {
  const LayoutRegistry registry(kTars);
  std::atomic<bool> asked = false;
  std::string elsewhere;
  FakeServer target([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.starts_with("/token")) asked = true;
    connection.respond(request, 401, "{}",
                       {{"WWW-Authenticate", "Bearer realm=\"" + elsewhere + "/token\",service=\"s\""}});
  });
  elsewhere = target.url("");
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.find("/blobs/") != std::string::npos && request.has("Range")) {
      connection.respond(request, 307, "", {{"Location", target.url(request.target)}});
    } else {
      registry.serve(request, connection);
    }
  });
  EXPECT_NE(error_or_names(server).find("wants credentials of its own"), std::string::npos);
  EXPECT_FALSE(asked);
}

TEST(RegistrySource, RedirectsInACircleEnd) {
  const LayoutRegistry registry(kTars);
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.find("/blobs/") != std::string::npos && request.has("Range")) {
      connection.respond(request, 307, "", {{"Location", request.target}});
    } else {
      registry.serve(request, connection);
    }
  });
  EXPECT_NE(error_or_names(server).find("in a circle"), std::string::npos);
}

TEST(RegistrySource, ARegistryWithoutRangesIsAnErrorForLargeLayersOnly) {
  const LayoutRegistry small({TarWriter().file("a", "1").finish()});
  const LayoutRegistry large(kTars);
  for (const LayoutRegistry* registry : {&small, &large}) {
    FakeServer server([&](FakeRequest request, FakeConnection& connection) {
      std::erase_if(request.headers,
                    [](const auto& header) { return header.first == "Range" || header.first == "range"; });
      registry->serve(request, connection);
    });
    const std::string said = error_or_names(server);
    if (registry == &small) {
      EXPECT_EQ(said, "a ");
    } else {
      EXPECT_NE(said.find("error: "), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace paceline::analyze
