"""The Dockerfile of trialflow's own image: whom it runs as, and where its data go. Pure."""

import sys

USER = 1000
DATA = "/var/lib/trialflow"
"""Where the volume belongs, and the home below it."""
DOCKERFILE = """\
FROM python:{python}-slim
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
# The image comes without compiled modules, and the server cannot write any: each of its processes would compile what it imports.
RUN python -m compileall -qq -x '/(site|dist)-packages/|/test/|/lib2to3/' "$(python -c 'import os; print(os.path.dirname(os.__file__))')" || true
COPY requirements.txt /tmp/
# Every dependency is in the list, so there is nothing to resolve.
RUN pip install --no-deps --compile -r /tmp/requirements.txt
COPY {wheel} /tmp/
RUN pip install --no-deps --compile /tmp/{wheel} && rm /tmp/{wheel} /tmp/requirements.txt
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
# A volume of Docker's that is mounted here belongs to the same user.
RUN install -d -m 700 -o {user} -g {user} {data}
USER {user}:{user}
WORKDIR /tmp
# A pod that is deleted is to trialflow what a power cut is: flows are not asked to end, which would stop their training runs. The next pod goes on.
STOPSIGNAL SIGKILL
CMD ["trialflow", "up"]
"""


def dockerfile(wheel: str) -> str:
    """The Dockerfile, with the minor version of the Python that runs here; `wheel` is the name of trialflow's own in the context."""
    return DOCKERFILE.format(python=f"{sys.version_info.major}.{sys.version_info.minor}", wheel=wheel, user=USER, data=DATA)
