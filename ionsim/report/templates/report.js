"use strict";
(function () {
  const store = JSON.parse(document.getElementById("data").textContent);
  const config = { displaylogo: false, responsive: true, scrollZoom: false,
    toImageButtonOptions: { format: "svg" }, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };

  // ---- arrays ------------------------------------------------------------------------------------------------
  const kinds = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array,
    i4: Int32Array };
  function unpack(one) {
    const text = atob(one.bdata), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new kinds[one.dtype](bytes.buffer);
  }

  function element(name, options, parent) {
    const made = Object.assign(document.createElement(name), options || {});
    if (parent) parent.append(made);
    return made;
  }

  // ---- plain figures -----------------------------------------------------------------------------------------
  function plain(canvas, figure) {
    return Plotly.newPlot(canvas, figure.data, figure.layout, config);
  }

  // ---- spheres as meshes -------------------------------------------------------------------------------------
  const ball = (function () {  // an icosahedron whose faces are cut in four once
    const t = (1 + Math.sqrt(5)) / 2;
    const points = [[-1, t, 0], [1, t, 0], [-1, -t, 0], [1, -t, 0], [0, -1, t], [0, 1, t], [0, -1, -t], [0, 1, -t],
      [t, 0, -1], [t, 0, 1], [-t, 0, -1], [-t, 0, 1]];
    let faces = [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2],
      [10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5], [2, 4, 11], [6, 2, 10],
      [8, 6, 7], [9, 8, 1]];
    const middles = new Map();
    function middle(a, b) {
      const key = a < b ? a + "," + b : b + "," + a;
      if (!middles.has(key)) {
        middles.set(key, points.length);
        points.push(points[a].map((value, axis) => (value + points[b][axis]) / 2));
      }
      return middles.get(key);
    }
    faces = faces.flatMap(([a, b, c]) => {
      const d = middle(a, b), e = middle(b, c), f = middle(c, a);
      return [[a, d, f], [b, e, d], [c, f, e], [d, e, f]];
    });
    return { points: points.map((p) => { const r = Math.hypot(...p); return p.map((value) => value / r); }), faces };
  })();

  function spheres(trace) {
    const centres = unpack(trace.centres), count = centres.length / 3, each = ball.points.length;
    const x = new Float32Array(count * each), y = new Float32Array(count * each), z = new Float32Array(count * each);
    const i = new Int32Array(count * ball.faces.length), j = new Int32Array(i.length), k = new Int32Array(i.length);
    for (let n = 0; n < count; n++) {
      ball.points.forEach((p, m) => {
        x[n * each + m] = centres[3 * n] + trace.radius * p[0];
        y[n * each + m] = centres[3 * n + 1] + trace.radius * p[1];
        z[n * each + m] = centres[3 * n + 2] + trace.radius * p[2];
      });
      ball.faces.forEach((face, m) => {
        const at = n * ball.faces.length + m;
        i[at] = n * each + face[0]; j[at] = n * each + face[2]; k[at] = n * each + face[1];
      });
    }
    return { type: "mesh3d", x, y, z, i, j, k, color: trace.color, name: trace.name, showlegend: true, hoverinfo: "skip",
      lighting: { ambient: 0.66, diffuse: 0.55, specular: 0.12, roughness: 0.7, fresnel: 0.02 },
      lightposition: { x: -1e5, y: 1e5, z: -1e5 } };
  }

  // ---- cuts turned around an axis or drawn out along y ---------------------------------------------------------
  const flat = { ambient: 1, diffuse: 0, specular: 0, fresnel: 0 };

  function painted(trace) {
    const codes = unpack(trace.values.codes), x = unpack(trace.x), z = unpack(trace.z), columns = x.length;
    const cell = (row, column) => {
      const code = codes[row * columns + column];
      return code === trace.values.missing ? NaN : trace.values.low + code * trace.values.step;
    };
    function face(rows, count, place, value) {  // place(row, column) -> [x, y, z]
      const made = { x: [], y: [], z: [], surfacecolor: [] };
      for (let row = 0; row < rows; row++) {
        const line = [new Float32Array(count), new Float32Array(count), new Float32Array(count), new Float32Array(count)];
        for (let column = 0; column < count; column++) {
          const own = value(row, column), at = place(row, column);
          for (let axis = 0; axis < 3; axis++) line[axis][column] = own === own ? at[axis] : NaN;
          line[3][column] = own;
        }
        made.x.push(line[0]); made.y.push(line[1]); made.z.push(line[2]); made.surfacecolor.push(line[3]);
      }
      return { type: "surface", ...made, colorscale: trace.colorscale, cmin: trace.cmin, cmax: trace.cmax,
        showscale: false, opacity: trace.opacity, lighting: flat, hoverinfo: "skip", showlegend: false };
    }
    const faces = [];
    if (trace.way === "turned") {
      [0, trace.open].forEach((angle) => {
        const c = Math.cos(angle), s = Math.sin(angle);
        faces.push(face(z.length, columns, (row, column) => [x[column] * c, x[column] * s, z[row]], cell));
      });
    } else {
      const y = trace.y, last = columns - 1, top = z.length - 1;
      y.forEach((own) => faces.push(face(z.length, columns, (row, column) => [x[column], own, z[row]], cell)));
      if (y.length > 1) {
        [0, top].forEach((row) => faces.push(face(2, columns, (side, column) => [x[column], y[side], z[row]],
          (side, column) => cell(row, column))));
        [0, last].forEach((column) => faces.push(face(2, z.length, (side, row) => [x[column], y[side], z[row]],
          (side, row) => cell(row, column))));
      }
    }
    if (trace.colorbar) Object.assign(faces[0], { showscale: true, colorbar: trace.colorbar });
    return faces;
  }

  function turned(trace) {
    const r = unpack(trace.r), z = unpack(trace.z), made = { x: [], y: [], z: [], surfacecolor: [] }, steps = 54;
    for (let step = 0; step <= steps; step++) {
      const angle = (trace.open * step) / steps;
      made.x.push(r.map((value) => value * Math.cos(angle)));
      made.y.push(r.map((value) => value * Math.sin(angle)));
      made.z.push(z);
      made.surfacecolor.push(new Float32Array(r.length));
    }
    return { type: "surface", ...made, cmin: 0, cmax: 1, opacity: 0.55, colorscale: [[0, trace.color], [1, trace.color]],
      showscale: false, name: trace.name, legendgroup: trace.name, showlegend: trace.showlegend, hoverinfo: "name",
      lighting: { ambient: 0.85, diffuse: 0.35, specular: 0.02, roughness: 1 } };
  }

  const bodies = { spheres: (one) => [spheres(one)], painted, turned: (one) => [turned(one)] };

  function ratio(traces) {  // to scale, and as large as the picture's height and width allow
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    function take(values, axis) {
      if (values && values.bdata) values = unpack(values);
      for (const value of values) {
        if (typeof value === "object" && value !== null) { take(value, axis); continue; }
        if (value === null || value !== value) continue;
        low[axis] = Math.min(low[axis], value);
        high[axis] = Math.max(high[axis], value);
      }
    }
    traces.forEach((trace) => ["x", "y", "z"].forEach((name, axis) => take(trace[name], axis)));
    const sides = low.map((value, axis) => Math.max(high[axis] - value, 1e-3));
    const mean = Math.cbrt(sides[0] * sides[1] * sides[2]), [x, y, z] = sides.map((side) => side / mean);
    const size = Math.min(1.3, 1.75 / z, 3.4 / Math.max(x, y));
    return { x: size * x, y: size * y, z: size * z };
  }

  // ---- states: one 3D scene, a button for each state ---------------------------------------------------------
  function states(canvas, figure, controls) {
    const row = element("div", { className: "controls" }, controls);
    const said = element("div", { className: "said" }, controls);
    const built = new Map();
    function traces(index) {
      if (!built.has(index)) {
        built.set(index, figure.states[index].traces.flatMap((one) => (bodies[one.type] || ((same) => [same]))(one)));
      }
      return figure.base.concat(built.get(index));
    }
    let first = true;
    function show(index) {
      buttons.forEach((button, at) => button.classList.toggle("on", at === index));
      said.textContent = figure.states[index].text;
      canvas.dataset.state = index;
      const layout = figure.layout, options = Object.assign({}, config, { scrollZoom: true });
      if (first) {
        first = false;
        Object.assign(layout.scene, { aspectmode: "manual", aspectratio: ratio(traces(index)) });
        return Plotly.newPlot(canvas, traces(index), layout, options);
      }
      Object.assign(layout.scene, { camera: canvas._fullLayout.scene._scene.getCamera(),
        aspectratio: canvas._fullLayout.scene.aspectratio });
      return Plotly.react(canvas, traces(index), layout, options);
    }
    const buttons = figure.states.map((state, index) =>
      element("button", { type: "button", textContent: state.label, onclick: () => show(index) }, row));
    return show(figure.initial);
  }

  // ---- slices: one slider for all panels ---------------------------------------------------------------------
  function slices(canvas, figure, controls) {
    const panels = figure.panels.map((panel) => {
      const codes = unpack(panel.frames.codes), [, rows, columns] = panel.shape;
      const values = new Float32Array(codes.length);
      for (let n = 0; n < codes.length; n++) {
        values[n] = codes[n] === panel.frames.missing ? NaN : panel.frames.low + codes[n] * panel.frames.step;
      }
      function frame(index) {
        const grid = [];
        for (let row = 0; row < rows; row++) {
          const begin = (index * rows + row) * columns;
          grid.push(values.subarray(begin, begin + columns));
        }
        return grid;
      }
      return { ...panel, frame };
    });
    const last = figure.moments.length - 1;
    const label = element("label", { textContent: "moment " }, controls);
    const slider = element("input", { type: "range", min: 0, max: last, step: 1, value: figure.initial }, label);
    label.style.flex = "1 1 300px";
    const own = element("label", {}, controls);
    const free = element("input", { type: "checkbox" }, own);
    own.append("scale of each moment");
    const said = element("output", { className: "said" }, controls);
    const lines = figure.data[0].type === "scatter";

    function limits(panel, grid) {
      if (!free.checked || panel.fixed) return [panel.low, panel.high];
      let low = Infinity, high = -Infinity;
      for (const row of grid) for (const value of row) if (value === value) { low = Math.min(low, value); high = Math.max(high, value); }
      if (!(high > low)) return [panel.low, panel.high];
      return [low, high];
    }
    function signed(panel, grid) {  // a scale for this moment: from 0 where it has one sign, else alike to both sides
      let low = 0, high = 0;
      for (const row of grid) for (const value of row) if (value === value) { low = Math.min(low, value); high = Math.max(high, value); }
      const both = low < -0.02 * (high - low) && high > 0.02 * (high - low), most = Math.max(-low, high);
      if (!(most > 1e-6 * Math.max(-panel.low, panel.high))) return { zmin: 0, zmax: panel.high, colorscale: panel.signs.one };
      return both ? { zmin: -most, zmax: most, colorscale: panel.signs.both }
        : { zmin: low, zmax: high, colorscale: panel.signs.one };
    }
    function show() {
      const index = Number(slider.value), grids = panels.map((panel) => panel.frame(index));
      said.textContent = figure.moments[index];
      canvas.dataset.moment = index;
      figure.data.forEach((trace, at) => {
        const [low, high] = limits(panels[at], grids[at]);
        if (lines) {
          trace.y = grids[at].map((row) => row[0]);
          figure.layout[panels[at].axis].range = [low, high];
        } else {
          Object.assign(trace, { z: grids[at], zmin: low, zmax: high },
            panels[at].signs ? signed(panels[at], grids[at]) : {});
        }
      });
      figure.layout.datarevision = (figure.layout.datarevision || 0) + 1;
      figure.layout.uirevision = "zoom";
      return Plotly.react(canvas, figure.data, figure.layout, config);
    }
    slider.oninput = show;
    free.onchange = show;
    return show();
  }

  // ---- columns: a table whose columns are drawn against each other --------------------------------------------
  function columns(canvas, figure, controls) {
    const names = Object.keys(figure.columns);
    function choice(text, options, value) {
      const label = element("label", { textContent: text + " " }, controls);
      const select = element("select", { onchange: show }, label);
      options.forEach((name) => element("option", { value: name, textContent: name || "nothing" }, select));
      select.value = value;
      return select;
    }
    const colours = ["#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#6B7078", "#8B5E3C"];
    function wide(values) {
      const good = values.filter((value) => typeof value === "number");
      return good.length && Math.min(...good) > 0 && Math.max(...good) > 50 * Math.min(...good);
    }
    let first = true;
    function show() {
      const xs = figure.columns[x.value], ys = figure.columns[y.value], layout = figure.layout;
      const by = colour.value ? figure.columns[colour.value] : null;
      const text = figure.text, base = { type: "scatter", mode: "markers", hovertemplate:
        "%{text}<br>" + x.value + " = %{x}<br>" + y.value + " = %{y}<extra></extra>" };
      const levels = by ? [...new Set(by)].filter((value) => value !== null) : [];
      let data;
      if (by && levels.length > 8 && levels.every((value) => typeof value === "number")) {
        data = [{ ...base, x: xs, y: ys, text, marker: { size: 8, color: by, colorscale: "Viridis", showscale: true,
          colorbar: { title: { text: colour.value, side: "right" }, thickness: 12 }, line: { width: 0.5, color: "#fff" } } }];
      } else if (by) {
        data = levels.sort().map((level, at) => {
          const rows = by.map((value, row) => (value === level ? row : -1)).filter((row) => row >= 0);
          return { ...base, x: rows.map((row) => xs[row]), y: rows.map((row) => ys[row]), text: rows.map((row) => text[row]),
            name: colour.value + " = " + level, marker: { size: 8, color: colours[at % colours.length],
              line: { width: 0.5, color: "#fff" } } };
        });
      } else {
        data = [{ ...base, x: xs, y: ys, text, marker: { size: 8, color: colours[0], line: { width: 0.5, color: "#fff" } } }];
      }
      [["xaxis", x.value, xs], ["yaxis", y.value, ys]].forEach(([axis, name, values]) => {
        Object.assign(layout[axis], { title: { text: name }, type: wide(values) ? "log" :
          values.some((value) => typeof value === "string") ? "category" : "linear", autorange: true });
      });
      layout.showlegend = data.length > 1;
      const draw = first ? Plotly.newPlot : Plotly.react;
      first = false;
      return draw(canvas, data, layout, config);
    }
    const x = choice("x", names, figure.x), y = choice("y", names, figure.y), colour = choice("colour", ["", ...names], figure.colour);
    return show();
  }

  // ---- all of them, in the order of the page -----------------------------------------------------------------
  const makers = { plot: plain, states, slices, columns };
  async function drawAll() {
    for (const canvas of document.querySelectorAll(".canvas")) {
      const figure = store[canvas.dataset.figure];
      const controls = canvas.parentElement.querySelector(".controls");
      try {
        await makers[figure.kind](canvas, figure, controls);
        canvas.dataset.ready = "yes";
      } catch (error) {
        element("p", { className: "missing", textContent: "This picture could not be drawn here: " + error.message }, canvas);
        console.error(error);
      }
      await new Promise((next) => setTimeout(next, 0));
    }
    document.body.dataset.ready = "yes";
  }

  const filter = document.getElementById("filter");
  if (filter) {
    filter.oninput = () => {
      const wanted = filter.value.trim().toLowerCase();
      document.querySelectorAll("details.parameters").forEach((table) => {
        let found = 0;
        table.querySelectorAll("tbody tr").forEach((row) => {
          const fits = !wanted || row.textContent.toLowerCase().includes(wanted);
          row.hidden = !fits;
          found += fits;
        });
        table.hidden = !found;
        table.open = Boolean(wanted) && found > 0;
      });
    };
  }
  window.addEventListener("beforeprint", () => document.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot)));
  drawAll();
})();
