"""What an installation must stand: scripts beside a clone of the repository."""

import subprocess
import sys


def test_a_folder_named_like_the_package_beside_a_script_does_not_hide_it(tmp_path):
    """A clone is a folder named ionsim: for Python a namespace package, which loses to a path entry only."""
    (tmp_path / "ionsim").mkdir()
    script = tmp_path / "script.py"
    script.write_text("import ionsim, kmc\nprint(ionsim.load('hfo2_ti_bipolar').name)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("hfo2_ti_bipolar", 0), done.stderr
