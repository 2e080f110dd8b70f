#include "options.hpp"

#include <gtest/gtest.h>

#include <map>

namespace imgpress::gateway {
namespace {

using Variables = std::map<std::string, std::string>;

Options parse(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  return parse_options(arguments, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Options, Defaults) {
  const Options options = parse({});
  EXPECT_EQ(options.listen.host, "127.0.0.1");
  EXPECT_EQ(options.listen.port, 8080);
  EXPECT_EQ(options.database, "");
  EXPECT_FALSE(options.allow_remote);
  EXPECT_FALSE(options.no_keys);
  EXPECT_TRUE(options.browser.hosts.empty());
  EXPECT_TRUE(options.browser.cors_origins.empty());
  EXPECT_EQ(options.max_upload_bytes, 268435456u);
  EXPECT_EQ(options.connections, 8u);
  EXPECT_EQ(options.spool_dir, "/var/tmp");
  EXPECT_EQ(options.max_spool_bytes, 4294967296u);
  EXPECT_FALSE(options.help);
  EXPECT_FALSE(options.version);
}

TEST(Options, CommandLineInBothSpellings) {
  const Options options =
      parse({"--listen", "[::1]:0", "--database=host=/run dbname=shop", "--connections", "3",
             "--max-upload-bytes=1000", "--allow-remote"});
  EXPECT_EQ(options.listen.host, "::1");
  EXPECT_EQ(options.listen.port, 0);
  EXPECT_EQ(options.database, "host=/run dbname=shop");
  EXPECT_EQ(options.connections, 3u);
  EXPECT_EQ(options.max_upload_bytes, 1000u);
  EXPECT_TRUE(options.allow_remote);
}

TEST(Options, CommandLineWinsOverEnvironment) {
  const Variables variables = {{"IMGPRESS_LISTEN", "127.0.0.1:1"},
                               {"IMGPRESS_DATABASE", "dbname=a"},
                               {"IMGPRESS_MAX_UPLOAD_BYTES", "7"},
                               {"IMGPRESS_CONNECTIONS", "2"},
                               {"IMGPRESS_ALLOW_REMOTE", "1"}};
  const Options options = parse({"--database", "dbname=b"}, variables);
  EXPECT_EQ(options.listen.port, 1);
  EXPECT_EQ(options.database, "dbname=b");
  EXPECT_EQ(options.max_upload_bytes, 7u);
  EXPECT_EQ(options.connections, 2u);
  EXPECT_TRUE(options.allow_remote);
}

TEST(Options, AllowRemoteIsNotSwitchedOnByAnything) {
  EXPECT_FALSE(parse({}, {{"IMGPRESS_ALLOW_REMOTE", "0"}}).allow_remote);
  EXPECT_FALSE(parse({}, {{"IMGPRESS_ALLOW_REMOTE", ""}}).allow_remote);
  EXPECT_THROW(parse({}, {{"IMGPRESS_ALLOW_REMOTE", "perhaps"}}), OptionError);
}

TEST(Options, ListsAreRepeatedOrSeparated) {
  const std::vector<std::string> expected = {"nas", "shop.example"};
  EXPECT_EQ(parse({"--host", "NAS", "--host=shop.example."}).browser.hosts, expected);
  EXPECT_EQ(parse({}, {{"IMGPRESS_HOST", "nas, shop.example"}}).browser.hosts, expected);
  EXPECT_EQ(parse({"--host", "a"}, {{"IMGPRESS_HOST", "b"}}).browser.hosts,
            std::vector<std::string>{"a"});
  const auto origins = parse({"--cors-origin", "HTTPS://A.example", "--cors-origin", "http://b:81"})
                           .browser.cors_origins;
  ASSERT_EQ(origins.size(), 2U);
  EXPECT_EQ(origins[0], (Origin{"https", {"a.example", "443"}}));
  EXPECT_EQ(origins[1], (Origin{"http", {"b", "81"}}));
}

TEST(Options, HelpWorksInABrokenEnvironment) {
  EXPECT_TRUE(parse({"--help"}, {{"IMGPRESS_CONNECTIONS", "many"}}).help);
  EXPECT_TRUE(parse({"--version"}).version);
}

TEST(Options, FaultsNameTheOption) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--nonsense"}, "--nonsense"},
      {{"extra"}, "extra"},
      {{"--listen"}, "--listen"},
      {{"--connections", "0"}, "--connections"},
      {{"--connections", "-1"}, "--connections"},
      {{"--connections", "8x"}, "8x"},
      {{"--max-upload-bytes", ""}, "--max-upload-bytes"},
      {{"--allow-remote=perhaps"}, "--allow-remote"},
      {{"--listen", "localhost"}, "--listen"},
      {{"--no-keys=perhaps"}, "--no-keys"},
      {{"--host", "nas:8080"}, "nas:8080"},
      {{"--host", "http://nas"}, "http://nas"},
      {{"--cors-origin", "*"}, "*"},
      {{"--cors-origin", "null"}, "null"},
      {{"--cors-origin", "shop.example"}, "shop.example"},
      {{"--cors-origin", "https://shop.example/admin"}, "/admin"},
  };
  for (const auto& [arguments, named] : cases) {
    try {
      parse(arguments);
      ADD_FAILURE() << arguments.front() << " was accepted";
    } catch (const OptionError& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  }
}

TEST(Options, FaultsNameTheVariable) {
  for (const char* variable :
       {"IMGPRESS_LISTEN", "IMGPRESS_CONNECTIONS", "IMGPRESS_ALLOW_REMOTE"}) {
    try {
      parse({}, {{variable, "nonsense"}});
      ADD_FAILURE() << variable << " was accepted";
    } catch (const OptionError& error) {
      EXPECT_NE(std::string(error.what()).find(variable), std::string::npos) << error.what();
    }
  }
}

TEST(Options, HelpNamesEachWithItsVariableAndDefault) {
  EXPECT_NE(usage().find("--listen HOST:PORT"), std::string::npos);
  EXPECT_NE(usage().find("(default 127.0.0.1:8080; IMGPRESS_LISTEN)"), std::string::npos);
  EXPECT_NE(usage().find("(default 268435456; IMGPRESS_MAX_UPLOAD_BYTES)"), std::string::npos);
}

ListenAddress address(const std::string& text) {
  return parse({"--listen", text}).listen;
}

TEST(ListenAddress, Forms) {
  EXPECT_EQ(address("localhost:80").host, "localhost");
  EXPECT_EQ(address(":80").host, "");
  EXPECT_EQ(address("[2001:db8::1]:65535").host, "2001:db8::1");
  EXPECT_EQ(address("[2001:db8::1]:65535").port, 65535);
  for (const char* bad : {"", "localhost", "::1:80", "a:65536", "a:", "a:-1", "a:8o", "[::1]"}) {
    EXPECT_THROW(address(bad), OptionError) << bad;
  }
}

}  // namespace
}  // namespace imgpress::gateway
