#include "plugin/net/tls.h"

#include <unistd.h>

#include "plugin/base/files.h"

namespace paceline::net {
namespace {

constexpr std::size_t kCaFileLimit = 4U << 20U;
/// libcurl keeps the parsed system bundle that long (140 certificates: 8 ms of CPU a connection otherwise).
constexpr long kTrustCacheSeconds = 600;

struct SystemTrust {
  std::string bundle;     ///< Empty: none.
  std::string directory;  ///< Hashed folder (c_rehash), read certificate by certificate; empty: none.
};

SystemTrust system_trust(const std::string& ca_bundle) {
  if (!ca_bundle.empty()) return {.bundle = ca_bundle, .directory = {}};
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  SystemTrust trust;
  if (info->cainfo != nullptr && ::access(info->cainfo, R_OK) == 0) trust.bundle = info->cainfo;
  if (info->capath != nullptr && ::access(info->capath, R_OK | X_OK) == 0) trust.directory = info->capath;
  return trust;
}

Status trust_system(CURL* easy, const SystemTrust& trust) {
  curl_easy_setopt(easy, CURLOPT_CAINFO, trust.bundle.empty() ? nullptr : trust.bundle.c_str());
  // A folder beside the bundle holds the same certificates and would keep libcurl from caching them.
  const bool folder = trust.bundle.empty() && !trust.directory.empty();
  curl_easy_setopt(easy, CURLOPT_CAPATH, folder ? trust.directory.c_str() : nullptr);
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, kTrustCacheSeconds);
  return {};
}

/// libcurl takes one bundle or one blob. The blob holds the extra files; the system's trust comes from its folder, or
/// where there is none, from its bundle's text.
Status trust_also(CURL* easy, const SystemTrust& trust, const std::vector<std::string>& ca_files) {
  std::string blob_text;
  for (const std::string& path : ca_files) {
    Result<std::string> pem = read_file(path, kCaFileLimit);
    if (!pem) return fail(pem.error().context("CA file"));
    blob_text.append(*pem).append("\n");
  }
  if (trust.directory.empty() && !trust.bundle.empty()) {
    if (Result<std::string> pem = read_file(trust.bundle, kCaFileLimit)) blob_text.append(*pem);
  }
  curl_blob blob{.data = blob_text.data(), .len = blob_text.size(), .flags = CURL_BLOB_COPY};
  curl_easy_setopt(easy, CURLOPT_CAPATH, trust.directory.empty() ? nullptr : trust.directory.c_str());
  if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK) {
    return fail(Code::kResourceExhausted, "CA files: out of memory");
  }
  return {};
}

}  // namespace

Status set_tls(CURL* easy, const TlsOptions& tls, const std::string& ca_bundle) {
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!tls.client_cert.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.client_cert.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.client_key.empty() ? nullptr : tls.client_key.c_str());
  }
  if (tls.skip_verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    return {};
  }
  const SystemTrust trust = system_trust(ca_bundle);
  return tls.ca_files.empty() ? trust_system(easy, trust) : trust_also(easy, trust, tls.ca_files);
}

}  // namespace paceline::net
