// Asks through npm's Akismet clients, unmodified. Reads one JSON object a line, answers with one.
import dns from "node:dns";
import { createInterface } from "node:readline";
import { AkismetClient } from "akismet-api";
import { Author, Blog, CheckResult, Client, Comment } from "@cedx/akismet";

// akismet-api puts the key in front of the host: every name leads to this machine here.
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => lookup("127.0.0.1", options, callback);

const cedx = {
  client: ({ url, blog, key, test }) => new Client(key, new Blog({ url: blog, charset: "UTF-8", languages: ["en"] }), { baseUrl: url, isTest: test }),
  comment: ({ author, email, content, context, role }) =>
    new Comment({
      author: new Author({ name: author, email, ipAddress: "198.51.100.7", userAgent: "Mozilla/5.0", role }),
      content,
      context,
      date: new Date(),
      permalink: "https://blog.example.org/tea",
      type: "comment",
    }),
  verify: (client) => client.verifyKey(),
  check: async (client, comment) =>
    ({ [CheckResult.ham]: "ham", [CheckResult.spam]: "spam", [CheckResult.pervasiveSpam]: "discard" })[await client.checkComment(comment)],
  spam: async (client, comment) => (await client.submitSpam(comment)) ?? "done",
  ham: async (client, comment) => (await client.submitHam(comment)) ?? "done",
};

const akismetApi = {
  client: ({ url, blog, key }) => new AkismetClient({ key, blog, host: new URL(url).host, protocol: "http" }),
  comment: ({ author, email, content, role, honeypot, test }) => ({
    ip: "198.51.100.7",
    useragent: "Mozilla/5.0",
    name: author,
    email,
    content,
    role,
    honeypot,
    isTest: test,
    permalink: "https://blog.example.org/tea",
    type: "comment",
  }),
  verify: (client) => client.verifyKey(),
  check: async (client, comment) => ((await client.checkSpam(comment)) ? "spam" : "ham"),
  spam: async (client, comment) => (await client.submitSpam(comment)).text,
  ham: async (client, comment) => (await client.submitHam(comment)).text,
};

const clients = { cedx, "akismet-api": akismetApi };

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const through = clients[asked.through];
  let answer;
  try {
    answer = { result: await through[asked.ask](through.client(asked), through.comment(asked)) };
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify(answer));
}
