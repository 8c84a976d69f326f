// A pre-norm Transformer in plain JavaScript: transformer_lite/transformer.py for one sentence.
//
// A vector is a Float32Array, a matrix a list of them, one for each token. The names of weights are
// those of the model's state_dict; those of attentions are the package's, "decoder.1.cross".

// A half-precision number from its 16 bits: a sign, five bits of exponent, ten of fraction.
function fromHalf(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits >> 15 ? -size : size;
}

// By their names, from one string of bytes and a line for each: its name and its sizes.
function readWeights(base64, lines) {
  const letters = atob(base64);
  let at = 0;
  const next = () => {
    at += 2;
    return fromHalf(letters.charCodeAt(at - 2) | (letters.charCodeAt(at - 1) << 8));
  };
  const read = (line) => {
    const [name, ...sizes] = line.split(" ");
    const shape = sizes.map(Number);
    const length = shape.reduce((product, size) => product * size);
    return [name, { shape, numbers: Float32Array.from({ length }, next) }];
  };
  return Object.fromEntries(lines.split("\n").map(read));
}

function add(x, y) {
  return x.map((number, place) => number + y[place]);
}

function softmax(energies) {
  // Taken off first: no exponential overflows.
  const largest = Math.max(...energies);
  const exponentials = energies.map((energy) => Math.exp(energy - largest));
  const sum = exponentials.reduce((total, one) => total + one, 0);
  return exponentials.map((one) => one / sum);
}

function largestOf(numbers) {
  return numbers.reduce((best, number, place) => (number > numbers[best] ? place : best), 0);
}

// Columns alternate between sine and cosine, one frequency a pair.
function sinusoid(place, width) {
  return Float32Array.from({ length: width }, (_, column) => {
    const angle = place * 10000 ** (-(column - (column % 2)) / width);
    return column % 2 ? Math.cos(angle) : Math.sin(angle);
  });
}

// What a run takes, see `begin`.
const UNCHANGED = { off: [], rows: {}, positions: 1 };

function makeTransformer(stored, heads, bos, eos) {
  // Tied.
  const weights = { "output.weight": stored["target_embedding.weight"], ...stored };
  const width = weights["target_embedding.weight"].shape[1];
  // K, the width of one head.
  const size = width / heads;
  const layersOf = (stack) => {
    const own = Object.keys(weights).filter((name) => name.startsWith(`${stack}.layers.`));
    return new Set(own.map((name) => name.split(".")[2])).size;
  };
  const depths = { encoder: layersOf("encoder"), decoder: layersOf("decoder") };

  // W x + b.
  function linear(name, x) {
    const { shape, numbers } = weights[`${name}.weight`];
    const bias = weights[`${name}.bias`]?.numbers;
    const y = new Float32Array(shape[0]);
    for (let row = 0, at = 0; row < shape[0]; row += 1) {
      let sum = bias ? bias[row] : 0;
      for (let column = 0; column < shape[1]; column += 1) sum += numbers[at++] * x[column];
      y[row] = sum;
    }
    return y;
  }

  // Layer normalisation: mean 0 and variance 1 within the vector, then a scale and a shift.
  function normalise(name, x) {
    const mean = x.reduce((sum, number) => sum + number, 0) / x.length;
    const variance = x.reduce((sum, number) => sum + (number - mean) ** 2, 0) / x.length;
    const [scale, shift] = [weights[`${name}.weight`].numbers, weights[`${name}.bias`].numbers];
    const one = Math.sqrt(variance + 1e-5);
    return x.map((number, place) => ((number - mean) / one) * scale[place] + shift[place]);
  }

  // One sentence under some changes. The trace keeps every matrix by its name; of energies and
  // weights, one for each head.
  //
  // changes.off: layers ("encoder.0"), which pass their input on, and heads ("encoder.0.self.3"),
  //   whose output is 0
  // changes.rows: weights that stand in for a softmax, by attention, head and row
  //   ("decoder.1.cross.0.4")
  // changes.positions: a factor on the positions
  function begin(source, changes) {
    const trace = {};
    const note = (name, x) => {
      (trace[name] ??= []).push(x);
      return x;
    };
    const isOff = (name) => changes.off.includes(name);

    // Embedding × √D plus position.
    function embed(side, token, place) {
      const { numbers } = weights[`${side}_embedding.weight`];
      const row = numbers.slice(token * width, (token + 1) * width);
      const words = note(`${side}.embedding`, row.map((number) => number * Math.sqrt(width)));
      const position = sinusoid(place, width).map((number) => number * changes.positions);
      return note(`${side}.sum`, add(words, note(`${side}.position`, position)));
    }

    // One token asks: each head blends the values of all keys; the blends lie side by side.
    function blend(name, row, query, keys, values) {
      const blended = new Float32Array(width);
      for (let head = 0; head < heads; head += 1) {
        const [from, to] = [head * size, (head + 1) * size];
        const energies = keys.map((key) => {
          let sum = 0;
          for (let place = from; place < to; place += 1) sum += query[place] * key[place];
          return sum / Math.sqrt(size);
        });
        const given = changes.rows[`${name}.${head}.${row}`];
        const shares = given?.length === keys.length ? given : softmax(energies);
        ((trace[`${name}.energies`] ??= [])[head] ??= []).push(energies);
        ((trace[`${name}.weights`] ??= [])[head] ??= []).push(shares);
        if (isOff(`${name}.${head}`)) continue;
        shares.forEach((share, key) => {
          const value = values[key];
          for (let place = from; place < to; place += 1) blended[place] += share * value[place];
        });
      }
      return note(`${name}.heads`, blended);
    }

    // Keys and values are kept, so a token sees itself and all that came before: the causal mask of
    // a decoder that writes one token at a time. An encoder adds all tokens, then lets them ask.
    function remember(name, module, known, x) {
      known.keys.push(note(`${name}.key`, linear(`${module}.key`, x)));
      known.values.push(note(`${name}.value`, linear(`${module}.value`, x)));
    }

    // x + attention(norm(x)) for some tokens, the first of which is number `first`.
    function attention(name, xs, first, known) {
      const [stack, index, kind] = name.split(".");
      const layer = `${stack}.layers.${index}`;
      const module = `${layer}.${kind}_attention`;
      const normed = xs.map((x) => {
        return note(`${name}.normalised`, normalise(`${layer}.${kind}_residual.norm`, x));
      });
      if (kind === "self") normed.forEach((x) => remember(name, module, known, x));
      return xs.map((x, place) => {
        const query = note(`${name}.query`, linear(`${module}.query`, normed[place]));
        const blended = blend(name, first + place, query, known.keys, known.values);
        const output = note(`${name}.output`, linear(`${module}.output`, blended));
        return note(`${name}.residual`, add(x, output));
      });
    }

    // x + W₂ relu(W₁ norm(x) + b₁) + b₂.
    function network(stack, index, x) {
      const [name, layer] = [`${stack}.${index}.network`, `${stack}.layers.${index}`];
      const normed = normalise(`${layer}.feed_forward_residual.norm`, x);
      const inner = linear(`${layer}.feed_forward.expand`, note(`${name}.normalised`, normed));
      const hidden = note(`${name}.hidden`, inner.map((number) => Math.max(0, number)));
      const output = linear(`${layer}.feed_forward.contract`, hidden);
      return note(`${name}.residual`, add(x, note(`${name}.output`, output)));
    }

    const nothing = () => ({ keys: [], values: [] });
    let states = source.map((token, place) => embed("source", token, place));
    for (let index = 0; index < depths.encoder; index += 1) {
      if (isOff(`encoder.${index}`)) continue;
      states = attention(`encoder.${index}.self`, states, 0, nothing());
      states = states.map((x) => network("encoder", index, x));
    }
    const memory = states.map((x) => note("memory", normalise("encoder.norm", x)));
    // Of each decoder layer: the target so far, and the source, whose keys and values never change.
    const caches = Array.from({ length: depths.decoder }, (_, index) => {
      const [name, module] = [`decoder.${index}.cross`, `decoder.layers.${index}.cross_attention`];
      const cache = { self: nothing(), cross: nothing() };
      if (!isOff(`decoder.${index}`)) {
        memory.forEach((x) => remember(name, module, cache.cross, x));
      }
      return cache;
    });

    // Reads one more token and returns the logits of the next.
    function step(token) {
      const place = trace.logits?.length ?? 0;
      let x = embed("target", token, place);
      caches.forEach((cache, index) => {
        if (isOff(`decoder.${index}`)) return;
        for (const kind of ["self", "cross"]) {
          [x] = attention(`decoder.${index}.${kind}`, [x], place, cache[kind]);
        }
        x = network("decoder", index, x);
      });
      const features = note("features", normalise("decoder.norm", x));
      const logits = note("logits", linear("output", features));
      note("probabilities", softmax(logits));
      return logits;
    }
    return { trace, step };
  }

  return {
    // What the output layer would say of a vector between two layers of the decoder.
    read: (x) => softmax(linear("output", normalise("decoder.norm", x))),
    // Greedy decoding: the most probable token, again and again, until <eos>. With `forced`, these
    // are written instead, and only these.
    run(source, changes = UNCHANGED, forced = null) {
      const { trace, step } = begin(source, changes);
      const tokens = [];
      const most = forced?.length ?? 2 * source.length + 10;
      while (tokens.length < most && tokens.at(-1) !== eos) {
        const logits = step(tokens.at(-1) ?? bos);
        tokens.push(forced?.[tokens.length] ?? largestOf(logits));
      }
      return { tokens, trace };
    },
  };
}
