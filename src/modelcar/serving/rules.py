"""What the signs of an InferenceService that is not ready mean, the weightier ones first.

A new symptom is a new row. The texts of the logs are vLLM's, NCCL's and Hugging Face's.
"""

from dataclasses import dataclass

from modelcar.serving.signs import Where


@dataclass(frozen=True, slots=True)
class Rule:
    r"""A row of the table: a sign that matches, and what it means.

    Cause and remedy may name the pattern's groups as `\1`. `terminal_after` is the number of
    restarts from which on waiting cannot heal it; None: never.
    """

    where: Where
    pattern: str
    cause: str
    remedy: str
    terminal_after: int | None = None


_PULL = r"^(ErrImagePull|ImagePullBackOff|RegistryUnavailable|InvalidImageName).*"
RULES: tuple[Rule, ...] = (
    Rule(
        "service",
        r"^Stopped\b",
        "the service is stopped",
        "start it: remove its annotation serving.kserve.io/stop",
        0,
    ),
    Rule(
        "service",
        r"^(RuntimeNotRecognized|NoSupportingRuntime|RuntimeDisabled)\b",
        "the serving runtime is missing in this namespace",
        "create it: `oc process -n redhat-ods-applications vllm-cuda-runtime-template"
        " | oc apply -n NAMESPACE -f -`, or name another as serving.runtime",
        0,
    ),
    Rule(
        "service",
        r"^(InvalidPredictorSpec|InvalidSpec)\b",
        "KServe finds the specification invalid",
        "correct the model's serving section",
        0,
    ),
    Rule(
        "creating",
        r"exceeded quota",
        "the namespace's quota leaves no room for the pod",
        "raise the ResourceQuota, stop another service, or ask for less in the serving section",
    ),
    Rule(
        "creating",
        r"security context constraint|violates PodSecurity",
        "the pod asks for what its security context constraint forbids",
        "leave user ids and capabilities to OpenShift, or bind an SCC to the service account",
        0,
    ),
    Rule(
        "creating",
        r"(maximum|minimum) \S+ usage per|LimitRange",
        "the namespace's LimitRange refuses the pod",
        "raise the LimitRange, or correct cpu and memory in the serving section",
        0,
    ),
    Rule(
        "creating",
        r"",
        "the pod cannot be created",
        "correct what the API server names",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*Insufficient",
        "no node has the resources free",
        "free GPUs (stop another service), add a node, or ask for less",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*(affinity/selector|node selector)",
        "no node fits the node selector",
        "correct serving.node_selector, or add such a node (scale its MachineSet)",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*taint",
        "no node is left that the pod tolerates",
        "add the taint to serving.tolerations, or add a node without it",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b",
        "the pod cannot be scheduled",
        "make room for it, or correct what the scheduler names",
    ),
    Rule(
        "waiting",
        _PULL + r"(unauthori[sz]ed|authentication required|denied|forbidden|\b(?:401|403)\b)",
        "the node may not pull the image",
        "name a pull secret for this OCI registry as serving.pull_secret, or link one to the"
        " service account",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"(manifest unknown|not found|name unknown)",
        "the OCI registry does not have the image",
        "mirror it again, and deploy the digest that the mirror step prints",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"(x509|certificate)",
        "the node does not trust the OCI registry's certificate",
        "add its CA to the cluster's image configuration (additionalTrustedCA)",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"context canceled",
        "the node gave up while it pulled a large layer",
        "raise CRI-O's pull_progress_timeout (10 s by default) on the GPU nodes",
    ),
    Rule(
        "pod",
        r"(no space left|DiskPressure|ephemeral-storage)",
        "the node's disk is too small for the image",
        "give the GPU nodes a larger root disk: twice the image's size",
    ),
    Rule(
        "waiting",
        _PULL + r"no space left",
        "the node's disk is too small for the image",
        "give the GPU nodes a larger root disk: twice the image's size",
    ),
    Rule(
        "waiting",
        _PULL,
        "the image cannot be pulled",
        "read the pod's events: `oc describe pod POD`",
    ),
    Rule(
        "ended",
        r"(NOK \.\.\. Prefetched|exec: \"?sh\"?: )",
        "the image is no ModelCar: it needs a shell and a filled folder /models",
        "build it again on the default base image",
        0,
    ),
    Rule(
        "ended",
        r"^OOMKilled\b",
        "it needed more memory than its limit",
        "raise serving.memory (shared memory counts too)",
        2,
    ),
    Rule(
        "log",
        r"(?s:max seq len \(?(\d+)\)?.{0,400}estimated maximum model length is (\d+))",
        r"a context of \1 tokens does not fit beside the weights",
        r"set serving.max_model_len to \2 or less, or take more GPUs",
        1,
    ),
    Rule(
        "log",
        r"max seq len \(?(\d+)\)?[^\n]{0,400}(KV cache|maximum number of tokens)",
        r"a context of \1 tokens does not fit beside the weights",
        "lower serving.max_model_len, or take more GPUs",
        1,
    ),
    Rule(
        "log",
        r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\w+=(\d+)",
        r"a context of \1 tokens is longer than the model was made for",
        r"set serving.max_model_len to \2",
        0,
    ),
    Rule(
        "log",
        r"No available memory for the cache blocks",
        "the weights leave no room for the KV cache",
        "take more GPUs, a quantized model, or raise --gpu-memory-utilization in serving.args",
        1,
    ),
    Rule(
        "log",
        r"Free memory on device[^\n]*?\(([\d.]+)/([\d.]+) GiB\)[^\n]* is less than desired",
        r"only \1 of the GPU's \2 GiB are free",
        "stop what shares this GPU, or lower --gpu-memory-utilization in serving.args",
        2,
    ),
    Rule(
        "log",
        r"CUDA out of memory|OutOfMemoryError",
        "the GPU's memory does not suffice",
        "lower serving.max_model_len, or --max-num-seqs in serving.args, or take more GPUs",
        1,
    ),
    Rule(
        "log",
        r"Bfloat16 is only supported on GPUs with compute capability",
        "the GPU has no bfloat16",
        "add --dtype=half to serving.args, or take newer GPUs",
        0,
    ),
    Rule(
        "log",
        r"attention heads[^\n]*must be divisible by[^\n]*tensor[ _]parallel[^\n]*",
        "the attention heads cannot be spread over so many GPUs",
        "set serving.tensor_parallel_size to a number that divides them",
        0,
    ),
    Rule(
        "log",
        r"Repo id must be in the form[^\n]*|HFValidationError[^\n]*|"
        r"Invalid repository ID or local directory[^\n]*|not a valid model identifier[^\n]*|"
        r"(No such file or directory|Permission denied): '/mnt/models[^\n]*|"
        r"Error[^\n]*/mnt/models[^\n]*(does not exist|does not appear)[^\n]*",
        "vLLM does not find the model at /mnt/models",
        "remove --model from serving.args, and user ids from the pod: all its containers need"
        " the namespace's",
        1,
    ),
    Rule(
        "log",
        r"NCCL[^\n]*unhandled system error[^\n]*|/dev/shm[^\n]*No space left[^\n]*",
        "the GPUs cannot talk to each other: shared memory is too small",
        "mount an emptyDir of medium Memory at /dev/shm, as modelcar does, and drop the runtime's",
        1,
    ),
    Rule(
        "waiting",
        r"^CrashLoopBackOff\b",
        "it starts and ends again and again",
        "read what it said last: `oc logs --previous POD`",
        2,
    ),
)
