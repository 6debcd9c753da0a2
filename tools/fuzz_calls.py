"""Calls every op with random odd arguments, to find what crashes or hangs the interpreter.

    python tools/fuzz_calls.py --calls 20000                 # all ops, in child processes
    python tools/fuzz_calls.py --only '^conv' --seed 7 --calls 2000
    python tools/fuzz_calls.py --repeat 12345                # one call again, in this process

A call is made from its own seed alone: an op, a form (function, method, in-place, `out=`), and
arguments, either one of the record's samples with some arguments replaced or all drawn anew. Odd
are dtypes, shapes, layouts, sizes (negative, huge, too many), None, strings, nested lists, NaN,
freed storages, `meta` tensors. An exception is a good answer. Findings are signals, calls that do
not come back, `SystemError`, and texts of C++ exceptions that nobody meant for a reader. The exit
code is 1 if there are any. To feed arguments of another kind, add them to `Draw`.
"""

import argparse
import random
import re
import resource
import signal
import subprocess
import sys
import warnings

HANG_SECONDS = 20
MEMORY_BYTES = 6 << 30  # so that huge sizes fail to allocate instead of exhausting the machine
# As many results or rounds as asked for: a huge number takes a long time, as it must.
ENDLESS = re.compile(r"chunk|split|combinations|cartesian_prod|lowrank")
RAW_TEXT = re.compile(
    r"^(std::|vector::|basic_string|bad_|map::|_Map_base|stod|stoi|cannot create std)"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of the first call")
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--only", default="", help="regular expression on the op's name")
    parser.add_argument("--repeat", type=int, metavar="SEED", help="make this one call and show it")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeat is not None:
        return show(options.repeat, options.only)
    if options.child:
        return run_calls(options.seed, options.calls, options.only)
    findings = fuzz(options.seed, options.calls, options.only)
    for text in findings:
        print(text)
    print(f"{options.calls} calls from seed {options.seed}: {len(findings)} findings")
    return 1 if findings else 0


def fuzz(seed, calls, only=""):
    """Makes the calls in children, a new one after each that died; the findings as texts."""
    findings, end = [], seed + calls
    while seed < end:
        command = [sys.executable, __file__, "--child", "--only", only]
        command += ["--seed", str(seed), "--calls", str(end - seed)]
        child = subprocess.run(command, capture_output=True, text=True, errors="replace")
        lines = child.stdout.splitlines()
        findings += [line[2:] for line in lines if line.startswith("! ")]
        begun = [line for line in lines if line.startswith("> ")]
        if child.returncode == 0:
            break
        if not begun:
            raise SystemExit(f"the child did not start: {child.stderr[-2000:]}")
        text, seed = begun[-1][2:], int(begun[-1].split()[1]) + 1
        if child.returncode != -signal.SIGALRM or not ENDLESS.search(text.split("(")[0]):
            findings.append(f"{how_it_ended(child.returncode)}: {text}\n{trace(child.stderr)}")
    return findings


def how_it_ended(code):
    if code == -signal.SIGALRM:
        return f"NO ANSWER in {HANG_SECONDS} s"
    return f"CRASH {signal.Signals(-code).name}" if code < 0 else f"EXIT {code}"


def trace(errors):
    """The last lines of the Python stack that faulthandler printed."""
    return "\n".join("    " + line for line in errors.strip().splitlines()[:8])


# ---- in the child


def run_calls(seed, calls, only):
    import faulthandler

    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, even within native code
    targets = Targets(only)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number in range(seed, seed + calls):
        print("> ", number, "being drawn", flush=True)
        call = targets.draw(number)
        print("> ", number, call.text, flush=True)
        signal.alarm(HANG_SECONDS)
        trouble = call.run()
        signal.alarm(0)
        if trouble:
            print("! ", number, call.text, trouble, flush=True)
    return 0


def show(seed, only):
    call = Targets(only).draw(seed)
    print(call.text)
    print(call.run(show=True) or "no finding")
    return 0


class Call:
    """A function with its arguments; `text` says what they are."""

    def __init__(self, name, function, args, kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs
        given = [brief(a) for a in args] + [f"{k}={brief(v)}" for k, v in kwargs.items()]
        self.text = f"{name}({', '.join(given)})".replace("\n", " ")

    def run(self, show=False):
        """Makes the call, looks at the result, goes backward; what is wrong, or None."""
        try:
            result = self.function(*self.args, **self.kwargs)
            if show:
                print(repr(result)[:2000])
            use(result)
        except SystemError as error:
            return f"SystemError: {error}"
        except Exception as error:
            if show:
                print(f"{type(error).__name__}: {error}")
            return f"raw text: {error}" if RAW_TEXT.match(str(error)) else None
        return None


def use(result):
    """Reads a result in a few ways; errors in doing so are as good as any."""
    import rushlight as rl

    for value in result if isinstance(result, (tuple, list)) else (result,):
        if not isinstance(value, rl.Tensor) or value.numel() > 1 << 16:
            continue
        repr(value)
        if value.requires_grad and not value.is_meta:
            value.sum().abs().backward()
        if value.device.type == "cpu" and value.numel():
            value.reshape(-1)[0].item()


def brief(value):
    """A short form of an argument, which needs no data."""
    import rushlight as rl

    if isinstance(value, rl.Tensor):
        marks = " meta" * value.is_meta + " grad" * value.requires_grad
        name = str(value.dtype).replace("torch.", "")
        return f"{name}{list(value.shape)}" + (f" strides {value.stride()}" + marks)
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + "[" + ", ".join(brief(v) for v in value[:9]) + "]"
    return repr(value)[:60]


class Targets:
    """What can be called: every public form of every record, and protocols that are not ops."""

    def __init__(self, only):
        import rushlight as rl
        import rushlight.testing  # noqa: F401
        from rushlight.ops import _record

        public = [r for r in _record.records.values() if set(r.at) - {"internal"}]
        self.records = [r for r in public if re.search(only, r.name)]
        self.publics, self.rl = _record.publics, rl
        self.protocols = [p for p in PROTOCOLS if re.search(only, p.__name__)]

    def draw(self, seed):
        random_ = random.Random(seed)
        self.rl.manual_seed(seed)
        draw = Draw(random_, self.rl)
        if self.protocols and (not self.records or random_.random() < 0.06):
            protocol = random_.choice(self.protocols)
            return Call(protocol.__name__, protocol, (draw, self.rl), {})
        return self._draw_op(random_.choice(self.records), random_, draw)

    def _draw_op(self, record, random_, draw):
        args, kwargs = self._sample(record, random_, draw)
        if args is None:
            args, kwargs = [draw.of_type(t) for t in record.arg_types], {}
            args = args[: random_.randint(max(1, len(args) - 3), max(1, len(args)))]
        for i in range(len(args)):
            if random_.random() < 0.2:
                kind = record.arg_types[i] if i < len(record.arg_types) else 15
                args[i] = draw.of_type(kind) if random_.random() < 0.8 else draw.anything()
        if random_.random() < 0.1:
            names = [*record.arg_names, "dtype", "dim", "out", "nonsense"]
            kwargs[random_.choice(names)] = draw.anything()
        name, function = self._form(record, random_, args)
        if random_.random() < 0.1:
            kwargs["out"] = draw.tensor()
        return Call(name, function, args, kwargs)

    def _sample(self, record, random_, draw):
        if record.sample_function is None or random_.random() < 0.3:
            return None, {}
        from rushlight.testing.check import Sample

        try:
            samples = list(record.sample_function(draw.maker()))
        except (RuntimeError, TypeError, ValueError):
            return None, {}  # not of this dtype
        drawn = random_.choice(samples)
        if isinstance(drawn, Sample):
            return list(drawn.args), dict(drawn.kwargs)
        drawn = drawn if isinstance(drawn, tuple) else (drawn,)
        kwargs = dict(drawn[-1]) if drawn and type(drawn[-1]) is dict else {}
        return [a for a in drawn if type(a) is not dict], kwargs

    def _form(self, record, random_, args):
        tensor_first = args and isinstance(args[0], self.rl.Tensor)
        key = record.public_name, "torch" in record.at or "Tensor" in record.at or record.at
        forms = [(record.name, self.publics[key].function)]
        if "Tensor" in record.at and tensor_first:
            forms.append((record.name, getattr(self.rl.Tensor, record.public_name)))
        if record.inplace and "Tensor" in record.at and tensor_first:
            forms.append((record.name + "_", getattr(self.rl.Tensor, record.public_name + "_")))
        return random_.choice(forms)


# ---- arguments

DTYPES = "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex64 complex128"
INTS = (-1, 0, 1, 2, 3, -2, 5, 7, 64, -5, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63), 1 << 64)
FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 3.7, float("inf"), float("-inf"), float("nan"), 1e308, 5e-324)
SHAPES = (
    (), (0,), (1,), (3,), (2, 3), (3, 3), (0, 3), (3, 0), (1, 1), (2, 0, 3), (2, 3, 4), (4, 4, 4),
    (1, 2, 4, 4), (2, 2, 5, 5), (2, 4, 3, 3, 3), (1,) * 6, (1, 2) * 5, (17,), (130,), (1,) * 20,
)  # fmt: skip
WORDS = ("mean", "sum", "none", "max", "same", "ij", "linear", "L", "reduced", "", "\0", "é", "cpu")


class Draw:
    """Random arguments by the type numbers of records, and odd ones of no type at all."""

    def __init__(self, random_, rl):
        self.random, self.rl = random_, rl
        self.dtypes = [getattr(rl, name) for name in DTYPES.split()]
        self.makers = {
            0: self.tensor, 1: self.tensors, 2: self.operand, 3: self.number, 4: self.integer,
            5: self.float_, 6: self.flag, 7: self.sizes, 8: self.floats, 9: self.dtype,
            10: self.device, 11: self.memory_format, 12: self.layout, 13: self.word,
            14: self.generator, 15: self.anything,
        }  # fmt: skip

    def of_type(self, kind):
        return None if self.random.random() < 0.1 else self.makers[kind]()

    def anything(self):
        kind = self.random.randrange(18)
        if kind < 15:
            return self.makers[kind]()
        if kind == 15:
            return [self.integer(), [self.number(), None], self.word()]
        return self.random.choice([None, object, (), [], {}, b"bytes", [[]], Ellipsis, slice(1, 2)])

    def tensor(self):
        shape, dtype = self.random.choice(SHAPES), self.dtype()
        if self.random.random() < 0.5:
            dtype = self.rl.float32
        t = self.rl.testing.make_tensor(*shape, dtype=dtype, device="cpu", low=-3, high=3)
        return self.changed(t)

    def changed(self, t):
        """The tensor with another layout, place or state."""
        kind = self.random.randrange(14)
        if kind == 0 and t.dim() > 1:
            return t.transpose(0, -1)
        if kind == 1 and t.dim():
            return t[..., ::2]
        if kind == 2:
            return t.expand(self.random.choice([3, 0, 1000]), *t.shape)
        if kind == 3:
            return t.to("meta")
        if kind == 4 and (t.is_floating_point() or t.is_complex()):
            return t.requires_grad_()
        if kind == 5 and t.numel():
            t.untyped_storage().resize_(0)
            return t
        if kind == 6 and t.is_floating_point() and t.numel():
            most = self.rl.finfo(t.dtype).max
            return t.fill_(self.random.choice([most if x == 1e308 else x for x in FLOATS]))
        if kind == 7 and t.numel() and t.dtype in (self.rl.int64, self.rl.int32):
            return t.fill_(self.random.choice([(1 << 31) - 1, -(1 << 31), 99]))
        if kind == 8 and t.dim():
            return t.as_strided(t.shape, (0,) * t.dim()) if t.numel() else t
        return t

    def maker(self):
        """The `make` of samples, of a random dtype."""
        dtype = self.rl.float32 if self.random.random() < 0.6 else self.dtype()

        def make(*sizes, **options):
            options = {"low": -2, "high": 2, "dtype": dtype, "device": "cpu", **options}
            return self.rl.testing.make_tensor(*sizes, **options)

        return make

    def tensors(self):
        return [self.tensor() for _ in range(self.random.randrange(4))]

    def operand(self):
        return self.tensor() if self.random.random() < 0.7 else self.number()

    def number(self):
        choices = (self.integer, self.float_, self.flag, lambda: complex(1, self.float_()))
        return self.random.choice(choices)()

    def integer(self):
        return self.random.choice(INTS if self.random.random() < 0.4 else INTS[:8])

    def float_(self):
        return self.random.choice(FLOATS)

    def flag(self):
        return self.random.random() < 0.5

    def sizes(self):
        few = self.random.choice((0, 1, 1, 2, 2, 3, 4, 70))
        return (
            [self.integer() for _ in range(few)] if self.random.random() < 0.8 else self.integer()
        )

    def floats(self):
        return [self.float_() for _ in range(self.random.randrange(4))]

    def dtype(self):
        return self.random.choice(self.dtypes)

    def device(self):
        return self.random.choice(["cpu", "meta", "cuda", "cpu:9", "nonsense", None])

    def memory_format(self):
        names = ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")
        return getattr(self.rl, self.random.choice(names))

    def layout(self):
        return self.random.choice([self.rl.strided, self.rl.sparse_coo, self.rl.sparse_csr])

    def word(self):
        return self.random.choice(WORDS)

    def generator(self):
        return self.random.choice([None, self.rl.Generator(), self.rl.default_generator])

    def index(self):
        """A subscript: numbers, slices, masks, lists, tensors, or a tuple of them."""
        parts = []
        for _ in range(self.random.randrange(1, 4)):
            kind = self.random.randrange(8)
            step = self.random.choice([None, 1, 2, 0, -1, 1 << 62])
            parts.append(
                self.anything() if kind == 0
                else self.integer() if kind == 1
                else slice(self.integer(), self.integer(), step) if kind == 2
                else self.random.choice([None, Ellipsis, True, False]) if kind == 3
                else [self.integer(), self.integer()] if kind == 4
                else self.tensor()
            )  # fmt: skip
        return parts[0] if len(parts) == 1 else tuple(parts)

    def nested(self, depth=0):
        """Lists in lists, mostly ragged."""
        if depth > 3 or self.random.random() < 0.3:
            return self.random.choice([self.number, self.number, self.anything])()
        return [self.nested(depth + 1) for _ in range(self.random.randrange(4))]


# ---- protocols that are not ops: each makes a call with arguments of its own


def getitem(draw, rl):
    return draw.tensor()[draw.index()]


def setitem(draw, rl):
    t = draw.tensor()
    t[draw.index()] = draw.operand()
    return t


def from_data(draw, rl):
    make = draw.random.choice([rl.tensor, rl.as_tensor, rl.Tensor, rl.Size])
    return make(draw.nested())


def attributes(draw, rl):
    """Sets an attribute to anything."""
    t = draw.tensor()
    name = draw.random.choice(["data", "grad", "requires_grad", "names", "__dict__", "foo"])
    setattr(t, name, draw.anything())
    return t


def members(draw, rl):
    """Calls any member of a tensor with anything, whether it is an op or not."""
    t = draw.tensor()
    name = draw.random.choice([n for n in dir(rl.Tensor) if n not in ("share_memory_",)])
    member = getattr(t, name)
    if callable(member):
        return member(*[draw.anything() for _ in range(draw.random.randrange(3))])
    return member


def storages(draw, rl):
    s = draw.tensor().untyped_storage()
    names = [n for n in dir(s) if not n.startswith("__") and n not in ("from_file", "_share_fd")]
    member = getattr(s, draw.random.choice(names))
    if callable(member):
        member(*[draw.anything() for _ in range(draw.random.randrange(3))])
    return list(s[:3])


def resized(draw, rl):
    """A tensor whose storage shrinks under it, and is then used."""
    t = draw.tensor()
    view = t.reshape(-1)[1:]
    t.untyped_storage().resize_(draw.random.choice([0, 1, 2, 3, 1 << 40]))
    return view + 1


def natives(draw, rl):
    """Any function of the native module, which only the package is meant to call."""
    from rushlight import _native

    leave = ("set_package_prefix", "make_callable", "add_overload", "set_operator")
    names = [n for n in dir(_native) if not n.startswith("__") and n not in leave]
    function = getattr(_native, draw.random.choice(names))
    if callable(function):
        return function(*[draw.anything() for _ in range(draw.random.randrange(4))])
    return function


PROTOCOLS = (getitem, setitem, from_data, attributes, members, storages, resized, natives)

if __name__ == "__main__":
    sys.exit(main())
