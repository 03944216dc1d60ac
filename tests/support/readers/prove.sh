#!/bin/sh
# Lets the tools themselves read our exports: tests/support/readers/prove.sh DIR [TOOL...]
# Each tool gets a virtual environment of its own in DIR (several GB in all), then tests/plugins/exporters/test_readers.py runs.
set -eu
folder=$1
shift
[ $# -gt 0 ] || set -- trl llama-factory ms-swift axolotl lmms-eval inspect pyrit croissant
for tool; do
    case $tool in
        trl) packages="trl peft torchvision pillow" ;;
        llama-factory) packages="llamafactory" ;;
        ms-swift | axolotl) packages="$tool torchvision pillow" ;;
        inspect) packages="inspect-ai" ;;
        croissant) packages="mlcroissant pyarrow pillow" ;;
        *) packages=$tool ;;
    esac
    if [ ! -e "$folder/$tool/ready" ]; then
        python3 -m venv "$folder/$tool"
        "$folder/$tool/bin/pip" install --quiet $packages
        touch "$folder/$tool/ready"
    fi
done
MOSSGEN_READERS=$folder python3 -m pytest "$(dirname "$0")/../../plugins/exporters/test_readers.py"
