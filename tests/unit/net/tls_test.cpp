#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/certificate.h"
#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::Certificate;
using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;
using test::make_certificate;
using ::testing::HasSubstr;

void answer_ok(const FakeRequest& request, FakeConnection& connection) { connection.respond(request, 200, "ok"); }

class Tls : public ::testing::Test {
 protected:
  HttpRequest request(TlsOptions tls, bool http1 = true) {
    HttpRequest value = get(server_.url("/v2/?sig=hidden"));
    value.http1 = http1;
    value.tls = std::move(tls);
    return value;
  }
  TlsOptions trusting(const Certificate& certificate, const std::string& name = "ca.pem") {
    TlsOptions tls;
    tls.ca_files = {dir_.write(name, certificate.certificate).string()};
    return tls;
  }
  static TlsOptions skipping() {
    TlsOptions tls;
    tls.skip_verify = true;
    return tls;
  }

  test::TempDir dir_;
  Certificate certificate_ = make_certificate();
  FakeServer server_{{.certificate = certificate_, .client_ca = {}}, &answer_ok};
  NetworkThread thread_{NetworkOptions{}};
};

TEST_F(Tls, AnUnknownAuthorityIsRefusedWithTheMend) {
  const Recording recording = run(thread_, request({}));
  ASSERT_FALSE(recording.end.status);
  const Error& error = recording.end.status.error();
  EXPECT_EQ(error.code, Code::kPermissionDenied);
  EXPECT_THAT(error.message, HasSubstr(server_.host()));
  EXPECT_THAT(error.message, HasSubstr("self-signed"));
  EXPECT_THAT(error.message, HasSubstr("hosts.toml"));
  EXPECT_THAT(error.message, ::testing::Not(HasSubstr("hidden")));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(Tls, CaFilesAreTrustedAndTheHandshakeIsTimed) {
  TlsOptions tls = trusting(certificate_);
  tls.ca_files.push_back(dir_.write("other.pem", make_certificate().certificate).string());
  const Recording recording = run(thread_, request(tls));
  ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
  EXPECT_EQ(recording.body, "ok");
  EXPECT_GT(recording.end.tls, Duration::zero());
  const Recording again = run(thread_, request(tls));
  EXPECT_TRUE(again.end.reused);
  EXPECT_EQ(again.end.tls, Duration::zero());
}

TEST_F(Tls, ACertificateForAnotherHostIsRefused) {
  const Certificate other = make_certificate({"DNS:elsewhere.example"});
  FakeServer server({.certificate = other, .client_ca = {}}, &answer_ok);
  HttpRequest elsewhere = get(server.url());
  elsewhere.tls = trusting(other);
  EXPECT_EQ(run(thread_, elsewhere).end.status.error().code, Code::kPermissionDenied);
}

TEST_F(Tls, AConnectionThatSkippedVerificationIsNeverReusedByOneThatVerifies) {
  for (const bool http1 : {true, false}) {
    ASSERT_TRUE(run(thread_, request(skipping(), http1)).end.status);
    EXPECT_TRUE(run(thread_, request(skipping(), http1)).end.reused);
    EXPECT_EQ(run(thread_, request({}, http1)).end.status.error().code, Code::kPermissionDenied);
    EXPECT_EQ(run(thread_, request(trusting(make_certificate(), "wrong.pem"), http1)).end.status.error().code,
              Code::kPermissionDenied);
    const Recording verified = run(thread_, request(trusting(certificate_), http1));
    EXPECT_TRUE(verified.end.status);
    EXPECT_EQ(run(thread_, request({}, http1)).end.status.error().code, Code::kPermissionDenied);
  }
}

TEST_F(Tls, NewConnectionsTakeUpTheTlsSession) {
  const TlsOptions tls = trusting(certificate_);
  ASSERT_TRUE(run(thread_, request(tls)).end.status);
  // Ends the connection, not the session.
  run(thread_, request(tls), {.on_head = [](const ResponseHead&) { return Flow::kAbort; }});
  ASSERT_TRUE(run(thread_, request(tls)).end.status);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_NE(requests[2].connection, requests[0].connection);
  EXPECT_TRUE(requests[2].tls_resumed);
  // A session without verification is no way in either.
  EXPECT_EQ(run(thread_, request({})).end.status.error().code, Code::kPermissionDenied);
}

TEST_F(Tls, ClientCertificatesAreShownAndConnectionsKeptApart) {
  const Certificate client = make_certificate({"DNS:client"});
  FakeServer server({.certificate = certificate_, .client_ca = client.certificate}, &answer_ok);
  HttpRequest with = get(server.url());
  with.tls = trusting(certificate_);
  HttpRequest without = with;
  with.tls.client_cert = dir_.write("client.pem", client.certificate).string();
  with.tls.client_key = dir_.write("client.key", client.key).string();
  const Recording shown = run(thread_, with);
  ASSERT_TRUE(shown.end.status) << shown.end.status.error().message;
  EXPECT_TRUE(server.requests().at(0).client_certificate);
  EXPECT_FALSE(run(thread_, without).end.status);

  HttpRequest both_in_one = with;
  both_in_one.tls.client_cert = dir_.write("both.pem", client.certificate + client.key).string();
  both_in_one.tls.client_key.clear();
  const Recording one_file = run(thread_, both_in_one);
  EXPECT_TRUE(one_file.end.status) << one_file.end.status.error().message;
}

TEST_F(Tls, UnusableFilesAreNamed) {
  TlsOptions missing;
  missing.ca_files = {(dir_.path() / "absent.pem").string()};
  Recording recording = run(thread_, request(missing));
  ASSERT_FALSE(recording.end.status);
  EXPECT_THAT(recording.end.status.error().message, HasSubstr("absent.pem"));

  TlsOptions garbage;
  garbage.ca_files = {dir_.write("garbage.pem", "not a certificate").string()};
  recording = run(thread_, request(garbage));
  ASSERT_FALSE(recording.end.status);

  TlsOptions no_client = trusting(certificate_);
  no_client.client_cert = (dir_.path() / "nobody.pem").string();
  recording = run(thread_, request(no_client));
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.end.status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(recording.end.status.error().message, HasSubstr("nobody.pem"));
}

TEST_F(Tls, ABundleOfTheEnvironmentReplacesTheSystems) {
  NetworkOptions options;
  options.ca_bundle = dir_.write("bundle.pem", certificate_.certificate).string();
  NetworkThread thread(options);
  const Recording recording = run(thread, request({}));
  EXPECT_TRUE(recording.end.status) << recording.end.status.error().message;
  const Recording beside = run(thread, request(trusting(make_certificate(), "beside.pem")));
  EXPECT_TRUE(beside.end.status) << beside.end.status.error().message;
}

TEST_F(Tls, PlainHttpToATlsPortFailsClearly) {
  HttpRequest plain = get("http://" + server_.host() + "/");
  EXPECT_EQ(run(thread_, plain).end.status.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace paceline::net
