// A diamond of four steps that do nothing, as a handler of Restate's, and how often steps were called.
//
//   node service.mjs PORT

import * as restate from "@restatedev/restate-sdk";

// The SDK uses it; Node 20, which Debian and others still have, is without.
Promise.withResolvers ??= function withResolvers() {
  const handed = {};
  handed.promise = new this((resolve, reject) => Object.assign(handed, { resolve, reject }));
  return handed;
};

let calls = 0;
const one = () => {
  calls += 1;
  return 1;
};

const diamonds = restate.service({
  name: "diamonds",
  handlers: {
    run: async (ctx) => {
      await ctx.run("a", one);
      const [b, c] = await restate.RestatePromise.all([ctx.run("b", one), ctx.run("c", one)]);
      return ctx.run("d", () => {
        calls += 1;
        return b + c;
      });
    },
    calls: async () => calls,
  },
});

restate.serve({ services: [diamonds], port: Number(process.argv[2]) });
