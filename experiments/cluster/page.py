"""The text of docs/clusters.md."""

TEXT = """# Sweeps on clusters, simulated

Made by `{command}`.

The study: 500 problems × 256 solutions × 32 verifications, 4.2 million rows of {tokens:,.0f} tokens on average, eight
billion in all. No machine here has 1,000 GPUs, so this page is a discrete-event
simulation (simpy), with what it assumes, and with the sweeps of real workers that it was checked against.

![hours on 1,000 replicas](clusters.png)

## Time to finish

{sizes}

Hours are of the whole study, the mean over seeds with a 95 % interval by Student's t.
{shared_cluster}On 8 and 64 replicas fewer problems were
simulated: the start and the tail are kept, and the time between them grows with the
problems. "Used" is what all slots always at work would take over the hours. The other columns are of what was
simulated: the share of the time that the busiest driver spends on its CPU or waits for the store, the share in which
some driver has nothing more to take (tail), failures of replicas and nodes, and tokens that were made and lost over
those of the rows (repeated). At the published rates a failure is rare in a study, and mostly not among what was
simulated; with 1,000 times the failures the table below shows what one costs.

## What breaks first at 1,000 replicas

{limits}

**The driver's CPU.** 1,000 replicas finish up to {needed:,.0f} rows a second. One driver grades and writes a row in
{verification:.0f} µs, and deals the next one among 1,000 replicas in {dealing_most:.1f} µs: {rows_alone:,.0f} rows a
second, which is what about {breaks:.0f} replicas finish. So a study on 1,000 replicas needs several drivers. {drivers}
of them with about {replicas_each} replicas each take {hours_sharded:.2g} hours in place of {hours_alone:.2g}; of these
{starting:.2g} are the start of the replicas, which comes next, before the tail.

A driver also remembers the replica of only {remembered:,} prompts. Still {cached} of the tokens of prompts are read
from a cache, as the verifications of a solution are dealt one after another.

## Shards, leases and parts

{varied}

Differences below {apart:.2g} hours are within what the seeds of the second line explain.

- **Replicas of a driver**: as many as its CPU keeps up with. With fewer there are more drivers than needed, each with a
  tail of its own.
- **Lease**: a driver takes so many solutions, with their verifications, when what it has no longer fills its replicas.
  Small leases end together. With a share of the problems from the start (all at once) the study ends when the driver
  with the longest texts does.
- **Parts**: a driver waits for the store while it writes a part, 0.1 to 0.2 s and what the bytes take. While drivers
  have time to spare, that costs nothing. A driver that dies makes half a part's rows again on average, beside what its
  replicas had begun, which does not depend on parts. With {most_failures:,.0f} times the failures that shows, though
  one seed of each, with failures of its own, compares them roughly; at the published rates the repeated share is about
  a thousandth of it. So the 5 s of today are right for shards that die often, and longer parts, of which there are
  fewer to list, where nothing does.

## What is assumed

- A **replica** is Llama-3.1-8B on one H100. A token of a request beside n - 1 others takes {alone:.2f} ms +
  n · {shared:.1f} µs, {most:,.0f} tokens a second with {slots} at work. This is fitted to [NVIDIA's table][nim]
  (version 1.8.0, NVIDIA's own engine, the first table of the model), and off by {error:.0f} % at most. Prompts are
  short there; long texts are slower.
- **Reading a prompt** takes {prompt:.0f} µs a token unless it is cached, and the others wait: 2 FLOPs a parameter at
  half of 989 TFLOP/s. That half is assumed.
- **Lengths** are those of Qwen2.5-Coder-1.5B on GSM-Symbolic (data/runs/qwen-gsm-symbolic-reverified), drawn problem by
  problem and stretched to {tokens:,.0f} tokens on average. Its texts end at 768 and 1,024 tokens, so the tail is cut
  at about four times the mean; reasoning models have longer ones.
- **Speeds** have a standard deviation of 4 %, and one replica in a hundred is 1.5 times slower, after
  [Sinha et al.][speeds], who measured older GPUs.
- **A replica fails** once in {gpu_years:.1f} years: 268 failures of GPUs in 54 days of 16,384 H100s,
  [Llama 3][llama]. It is back after 82 s, a [start of vLLM][start] from caches (on another GPU).
- **A node** of 8 fails once in {node_days:.0f} days: 7.9 hours between failures of jobs on 1,024 GPUs,
  [Kokolis et al.][nodes]. It is [replaced][replaced] after 300 s, and its replicas start without caches, in 294 s. If
  a driver was on it, others may take its keys after 60 s.
- **The store** takes 0.1 to 0.2 s a request and 87 MB/s, as [S3's documentation][s3] says; a row has {row_bytes:,.0f}
  bytes, which is assumed.
- **A driver** spends {solution:.0f} µs on a solution and {verification:.0f} µs on a verification, graded and written,
  and deals in {dealing}. This is CPU time measured here, on {cores} cores that other processes used too (load
  {driver_load:.0f}). Texts had 300 tokens and answers
  were numbers; longer texts and LaTeX take longer.

Requests are ordered and dealt as on one machine (`isocompute.runners.engines.replicas`): verifications are asked for
when their solution is done, and what shares a prompt goes to one replica unless another has less than half as much to
do. Leases and several drivers are a plan. Left out are networks, throttling, the memory of the KV cache, threads of a
driver that wait for each other, spot notices, and crashes of software, which studies of hardware do not count.

[nim]: https://docs.nvidia.com/nim/benchmarking/llm/1.0.0/performance
[speeds]: https://arxiv.org/abs/2208.11035
[llama]: https://arxiv.org/abs/2407.21783
[start]: https://tensorfuse.io/docs/blogs/reducing_gpu_cold_start
[nodes]: https://arxiv.org/abs/2410.21680
[replaced]: https://www.crusoe.ai/resources/blog/autoclusters-minimizing-hardware-failures-in-large-gpu-clusters
[s3]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html

## Checked against real sweeps

{checks}

{verdict} Allowed is twice the standard deviation of five repeats, in alternating order, or 15 % if that is more.
Doubles sleep as long as a model would work, and isocompute's own `Replicas` deals to them; the simulation takes nothing
from their times. {workers}Loads of the machine before and after: {loads}, on {cores} cores.
What the simulation leaves
out, threads and processes that wait for a core, grows with the number of copies on such a machine.
`nice python -m experiments.cluster.measure` measures again, best where nothing else runs.
"""

WORKERS = """Workers are the lab's solver in vLLM with one thread each, and `Replicas` deals to them too; the law is
fitted on one of them before, with 4 and 16 requests at once, and off by {error:.0f} % at most.
"""

SHARED = """Of the 1,000 replicas a share of {share:.3g} was simulated, with as many of the drivers and of the problems;
a driver that cannot be divided is given fewer rows and so much more time for each. """
